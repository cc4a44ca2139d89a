// The search over all targets: what is shown is a page at a time, whatever their number.

import { ask, told } from "./ask.js";
import { byId, el, paced, put } from "./dom.js";
import { age, count, moment, percent, plural, span, took } from "./format.js";
import { CAUSES, STATES } from "./states.js";
import { reason, table, targetLink } from "./table.js";

/** Targets on a page, and the most that are shown before the first ones make room. */
const PAGE = 50;
const MOST = 1000;
/** Milliseconds from one look at the first page to the next. */
const RHYTHM = 5000;
const SORTS = [["", "as in the list"], ["latency", "slowest first"], ["downtime", "longest down first"], ["lag", "most late first"]];

/** The view of the search that `query` asks for; `go` shows another one. */
export function targets({ live, query, go }) {
  const list = new List(live);
  const status = el("p", { class: "status", role: "status" });
  const more = el("button", { type: "button", class: "more-button", hidden: true }, "More");
  const tools = toolbar(query, (changed) => go("targets", changed, { replace: true }));
  const root = el("div", { class: "targets" }, tools.root, status, list.root, more);
  const search = { text: query.text, state: query.state, cause: query.cause, sort: query.sort, group: query.group, label: query.labels };
  let next = null;
  let pages = 0;
  let controller = new AbortController();

  async function load(after) {
    controller.abort();
    controller = new AbortController();
    root.setAttribute("aria-busy", "true");
    try {
      const found = await ask("/api/v1/targets", { ...search, after, limit: PAGE }, { signal: controller.signal });
      next = found.next ?? null;
      pages = after ? pages + 1 : 1;
      list.show(after ? [...list.items, ...found.targets].slice(-MOST) : found.targets);
      put(status, sentence(found, list.items.length, next));
      more.hidden = !next;
    } catch (error) {
      if (error.name === "AbortError") return;
      put(status, told(error));
      if (!after && error.status === 400) list.show([]);
    }
    root.removeAttribute("aria-busy");
  }

  more.addEventListener("click", async () => {
    const first = list.items.length;
    await load(next);
    list.focus(first);
  });
  load(null);
  // Whoever has gone on to further pages is not torn out of them.
  const again = () => pages === 1 && !document.hidden && load(null);
  const timer = setInterval(again, RHYTHM);
  return {
    root,
    title: query.text ? `Targets: ${query.text}` : "Targets",
    summary: (summary) => tools.count(summary.targets ?? {}),
    transition: (change) => list.change(change),
    resync: again,
    close() {
      clearInterval(timer);
      controller.abort();
      list.close();
    },
  };
}

function sentence(found, shown, next) {
  const total = found.total ?? (next ? null : shown);
  if (total === 0) return "No target is like that.";
  if (total === null) return `The first ${count(shown)}.`;
  return shown >= total ? `${plural(total, "target")}.` : `${count(shown)} of ${plural(total, "target")}.`;
}

/** Rows in one table, or in two beside each other where there is room. */
class List {
  constructor(live) {
    this.items = [];
    this.byId = new Map();
    this.soon = paced(() => this.show(this.items));
    this.tables = [table("Targets", columns(live)), table("Targets, continued", columns(live))];
    this.root = el("div", { class: "pair" }, ...this.tables.map((one) => one.root));
    this.media = matchMedia("(min-width: 1180px)");
    this.lay = () => this.show(this.items);
    this.media.addEventListener("change", this.lay);
  }

  show(items) {
    if (this.items !== items) this.byId = new Map(items.map((item) => [item.id, item]));
    this.items = items;
    const half = this.media.matches && items.length > 12 ? Math.ceil(items.length / 2) : items.length;
    this.tables[0].show(items.slice(0, half));
    this.tables[1].show(items.slice(half));
    this.tables[1].root.hidden = half === items.length;
    this.tables[0].root.hidden = items.length === 0;
  }

  change({ target_id: id, to, at, cause, detail }) {
    const item = this.byId.get(id);
    if (!item) return;
    Object.assign(item, { state: to, since: at, cause, detail });
    this.soon();
  }

  focus(at) {
    this.root.querySelectorAll("[data-row]")[at]?.focus();
  }

  close() {
    this.soon.stop();
    this.media.removeEventListener("change", this.lay);
  }
}

function columns(live) {
  return [
    { title: "State", kind: "mark", mark: (item) => item.state },
    { title: "Target", kind: "target", link: targetLink },
    { title: "Cause", kind: "cause", text: (item) => (item.state === "up" ? item.code ?? "" : reason(item)), hint: reason },
    { title: "For", kind: "figure", text: (item) => age(item.since, live.nowMs), hint: (item) => item.since && `since ${moment(item.since)}` },
    { title: "Latency", kind: "figure", text: (item) => (item.latency_seconds === null || item.latency_seconds === undefined ? "" : took(item.latency_seconds)), hint: (item) => item.last_at && `last poll ${age(item.last_at, live.nowMs)} ago` },
    { title: "24 h", kind: "figure wide", text: (item) => (item.uptime?.["24h"] === null || item.uptime?.["24h"] === undefined ? "" : percent(item.uptime["24h"])) },
    { title: "Every", kind: "figure wide", text: (item) => span(item.interval_seconds) },
  ];
}

/** What narrows the search. */
function toolbar(query, change) {
  const counts = new Map();
  const states = el("span", { class: "chooser states", role: "group", "aria-label": "State" });
  for (const state of ["", ...STATES]) {
    const number = el("b", {});
    const isChosen = (query.state ?? "") === state;
    const button = el("button", { type: "button", "data-keep": `state ${state}`, "aria-pressed": String(isChosen), click: () => change({ ...query, state }) }, state || "all", number);
    counts.set(state || "total", number);
    states.append(button);
  }
  const select = (label, name, options) => {
    const box = el("select", { "aria-label": label, "data-keep": name, change: (event) => change({ ...query, [name]: event.target.value }) },
      ...options.map(([value, text]) => el("option", { value, selected: value === (query[name] ?? "") }, text)));
    return el("label", {}, `${label} `, box);
  };
  const causes = select("Cause", "cause", [["", "any"], ...CAUSES.map((cause) => [cause, cause])]);
  const sorts = select("Sort", "sort", SORTS);
  const labels = el("input", {
    type: "text", "data-keep": "labels", value: query.labels.join(" "), placeholder: "team=web", "aria-label": "Labels, NAME=VALUE", autocomplete: "off", spellcheck: "false",
    change: (event) => change({ ...query, labels: event.target.value.split(/\s+/).filter(Boolean) }),
  });
  const narrowed = ["text", "state", "cause", "sort", "group"].some((name) => query[name]) || query.labels.length > 0;
  const clear = narrowed ? el("a", { href: "#/targets", click: () => (byId("search-text").value = "") }, "Show all") : null;
  return {
    root: el("div", { class: "toolbar" }, states, causes, sorts, el("label", {}, "Labels ", labels), clear),
    count: (summary) => counts.forEach((number, state) => put(number, count(summary[state] ?? 0))),
  };
}
