// What may be done with a target: check it now, pause, resume, edit and delete it.

import { change, may } from "./ask.js";
import { dialog, field, toast } from "./dialog.js";
import { editTarget } from "./edit.js";
import { el } from "./dom.js";
import { brief } from "./format.js";

/** Puts buttons into `room` for what the visitor may do with the target `found`. */
export function actions(room, found, { reload, go }) {
  const row = found.target ?? {};
  const key = JSON.stringify([row.id, row.state === "paused", row.origin, may("run"), may("admin")]);
  if (room.dataset.key === key) return;
  room.dataset.key = key;
  const buttons = [];
  const add = (text, act, kind = "quiet") => buttons.push(el("button", { type: "button", class: kind, click: act }, text));
  if (may("run")) add("Check now", (event) => checkNow(row, event.target, reload), "primary");
  if (may("admin")) {
    if (row.state === "paused") add("Resume", () => resume(row, reload));
    else add("Pause…", () => pause(row, reload));
    if (row.origin === "api") {
      add("Edit…", async () => (await editTarget(found)) && reload());
      add("Delete…", async () => (await remove(row)) && go("targets", {}));
    } else {
      buttons.push(el("span", { class: "note" }, "From the list: change it there, and reload."));
    }
  }
  room.replaceChildren(...buttons);
}

const path = (row) => `/api/v1/targets/${encodeURIComponent(row.id)}`;

async function checkNow(row, button, reload) {
  button.disabled = true;
  try {
    const told = await change("POST", "/api/v1/checks/run", { targets: [row.id] });
    const result = told.results?.[0];
    const found = result?.result ?? result;
    toast(found ? `Checked: ${found.status ?? ""} ${found.message ?? ""}`.trim() : "Checked.");
    await reload();
  } catch (error) {
    toast(`Not checked: ${error.message}`);
  }
  button.disabled = false;
}

async function pause(row, reload) {
  const length = el("select", {}, ...[["1h", "an hour"], ["8h", "8 hours"], ["1d", "a day"], ["7d", "a week"], ["", "until it is resumed"]]
    .map(([value, text]) => el("option", { value }, text)));
  const why = el("input", { type: "text", maxlength: 200, autocomplete: "off" });
  const isDone = await dialog({
    title: `Pause ${row.name || brief(row.url)}?`,
    content: [el("p", {}, "It is not polled meanwhile, and the time does not count."), field("For", length), field("Reason", why)],
    button: "Pause",
    act: () => change("POST", `${path(row)}/pause`, { ...(length.value ? { for: length.value } : {}), reason: why.value.trim() }),
  });
  if (isDone) await reload();
}

async function resume(row, reload) {
  try {
    await change("POST", `${path(row)}/resume`);
    await reload();
  } catch (error) {
    toast(`Not resumed: ${error.message}`);
  }
}

const remove = (row) => dialog({
  title: `Delete ${row.name || brief(row.url)}?`,
  content: [el("p", { class: "url" }, row.url), el("p", {}, "It is polled no more. What was found stays in the store.")],
  button: "Delete",
  isDanger: true,
  act: () => change("DELETE", path(row)),
});
