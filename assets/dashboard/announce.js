// What is announced on the status page: read by all, written by admins.

import { ask, change, may } from "./ask.js";
import { dialog, field } from "./dialog.js";
import { el } from "./dom.js";
import { moment } from "./format.js";
import { panel } from "./table.js";

const KINDS = ["information", "maintenance", "outage"];

/** The panel of announcements. */
export function announcementsPanel() {
  const box = panel("Announcements", { id: "announcements", more: { href: "/status", text: "status page" } });
  const list = el("ul", { class: "announced" });
  const add = el("button", { type: "button", class: "quiet", hidden: true, click: async () => (await announce()) && load() }, "Announce…");
  box.tools.append(add);
  box.body.append(list);

  async function load() {
    add.hidden = !may("admin");
    try {
      const { announcements } = await ask("/api/v1/announcements");
      list.replaceChildren(...announcements.map((one) => entry(one, load)));
      box.say(announcements.length ? "" : "Nothing is announced.");
    } catch (error) {
      box.fail(error);
    }
  }

  load();
  return { root: box.root, load };
}

function entry(one, reload) {
  const until = one.until ? ` to ${moment(one.until)}` : "";
  const when = `${one.is_current ? "" : "planned: "}${one.kind}, ${moment(one.from)}${until}`;
  const down = may("admin")
    ? el("button", { type: "button", class: "quiet", click: async () => (await withdraw(one)) && reload() }, "Take down…")
    : null;
  return el("li", { class: one.kind }, el("div", {}, el("strong", {}, one.title), el("small", {}, when),
    one.text ? el("p", {}, one.text) : null), down);
}

const withdraw = (one) => dialog({
  title: "Take it down?",
  content: [el("p", {}, one.title)],
  button: "Take down",
  isDanger: true,
  act: () => change("DELETE", `/api/v1/announcements/${encodeURIComponent(one.id)}`),
});

function announce() {
  const title = el("input", { type: "text", required: true, maxlength: 200, autocomplete: "off" });
  const text = el("textarea", { rows: 4, maxlength: 4000 });
  const kind = el("select", {}, ...KINDS.map((name) => el("option", { value: name }, name)));
  const [from, until] = [0, 1].map(() => el("input", { type: "datetime-local" }));
  const time = (input) => (input.value ? new Date(input.value).toISOString() : undefined);
  return dialog({
    title: "Announce on the status page",
    content: [field("Title", title), field("Text", text), field("Kind", kind),
      field("From", from, "empty: from now on"), field("Until", until, "empty: until it is taken down")],
    button: "Announce",
    act: () => change("POST", "/api/v1/announcements", {
      title: title.value, text: text.value, kind: kind.value, from: time(from), until: time(until),
    }),
  });
}
