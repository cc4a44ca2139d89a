// The keyboard: everything that can be done with a pointer can be done without.

import { byId, el } from "./dom.js";
import { dialog } from "./dialog.js";

const HELP = [
  ["/", "search all targets"], ["j ↓", "the next row"], ["k ↑", "the row before"], ["Enter", "open it"],
  ["Esc", "leave the search, close what is open, go back"], ["o", "overview"], ["t", "targets"], ["i", "incidents"],
  ["d", "light, dark, or as the system has it"], ["?", "these keys"],
];

/** Shows the keys. */
export function help() {
  const rows = HELP.map(([keys, text]) => el("div", {}, el("dt", {}, ...keys.split(" ").map((key) => el("kbd", {}, key))), el("dd", {}, text)));
  return dialog({ title: "Keys", content: [el("dl", { class: "keys-list" }, ...rows)] });
}

/** Listens; `go` shows views, `toggle` changes the theme. */
export function keys({ go, back, toggle }) {
  const search = byId("search-text");
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const isTyping = event.target.matches("input, textarea, select");
    if (event.key === "Escape") {
      if (event.target === search) search.blur();
      else if (!isTyping) back();
      return;
    }
    if (event.target === search && event.key === "ArrowDown") return move(event, 1);
    if (isTyping) return;
    const act = {
      "/": () => { search.focus(); search.select(); },
      "?": help,
      j: () => move(null, 1),
      k: () => move(null, -1),
      o: () => go("", {}),
      t: () => go("targets", {}),
      i: () => go("incidents", {}),
      d: toggle,
    }[event.key];
    if (act) {
      event.preventDefault();
      act();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      move(event, event.key === "ArrowDown" ? 1 : -1);
    }
  });
}

/** Moves to the next row or the one before; arrows go on scrolling where there is none. */
function move(event, step) {
  const rows = [...byId("view").querySelectorAll("[data-row]")].filter((row) => row.offsetParent);
  const at = rows.indexOf(document.activeElement);
  // Arrows scroll until a row has been chosen.
  const isFree = event && at < 0 && document.activeElement !== byId("search-text");
  if (!rows.length || isFree) return;
  const row = rows[at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + step))];
  event?.preventDefault();
  row.focus();
  row.scrollIntoView({ block: "nearest" });
}
