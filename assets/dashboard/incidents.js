// All incidents, the newest first, and changes of state as they come.

import { announcementsPanel } from "./announce.js";
import { ask, told } from "./ask.js";
import { el, paced, put } from "./dom.js";
import { count, moment } from "./format.js";
import { incidentColumns } from "./overview.js";
import { panel, reason, table, targetLink } from "./table.js";

const PAGE = 50;
const CHANGES = 50;

/** The view; `query.open` asks for those alone that go on. */
export function incidents({ live, query, go }) {
  const box = panel("Incidents");
  const list = table("Incidents", incidentColumns(live));
  const more = el("button", { type: "button", class: "more-button", hidden: true }, "More");
  const only = el("label", {}, el("input", {
    type: "checkbox", checked: query.open === "true",
    change: (event) => go("incidents", { ...query, open: event.target.checked ? "true" : "" }, { replace: true }),
  }), " only those that go on");
  box.tools.append(only);
  box.body.append(list.root, more);
  const announced = announcementsPanel();
  const changes = changesPanel();
  let items = [];
  let next = null;
  async function load(after) {
    try {
      const found = await ask("/api/v1/incidents", { open: query.open || null, after, limit: PAGE });
      items = after ? [...items, ...found.incidents] : found.incidents;
      next = found.next ?? null;
      list.show(items);
      more.hidden = !next;
      box.say(items.length ? "" : "None so far.");
      put(box.note, next ? `the latest ${count(items.length)}` : "");
    } catch (error) {
      if (items.length) put(box.note, told(error));
      else box.fail(error);
    }
  }
  more.addEventListener("click", () => load(next));
  load(null);
  const again = () => items.length <= PAGE && !document.hidden && load(null);
  const timer = setInterval(again, 10000);
  return {
    root: el("div", { class: "two" }, box.root, el("div", { class: "column" }, announced.root, changes.root)),
    title: "Incidents",
    transition: changes.add,
    resync: again,
    visitor: announced.load,
    close() {
      clearInterval(timer);
      changes.close();
    },
  };
}

function changesPanel() {
  const box = panel("Changes of state");
  put(box.note, "as they come, since this page was opened");
  const list = table("Changes of state", [
    { title: "To", kind: "mark", mark: (item) => item.to },
    { title: "Target", kind: "target", link: targetLink },
    { title: "Change", kind: "cause", text: (item) => `${item.from} → ${item.to}${item.cause ? `: ${reason(item)}` : ""}`, hint: reason },
    { title: "At", kind: "when", text: (item) => moment(item.at) },
  ]);
  box.body.append(list.root);
  const draw = () => {
    list.show(seen);
    box.say(seen.length ? "" : "None yet.");
  };
  draw();
  // There may be thousands a second, as when a daemon starts.
  const soon = paced(draw);
  return {
    root: box.root,
    close: soon.stop,
    add(change) {
      if (change.from === "pending" && change.to === "up") return;
      seen.unshift(change);
      seen.length = Math.min(seen.length, CHANGES);
      soon();
    },
  };
}

/** What was seen since the page was opened. */
const seen = [];
