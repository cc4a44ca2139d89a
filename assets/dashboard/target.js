// The page of one target.

import { ask, told } from "./ask.js";
import { Chart, onTheme } from "./charts.js";
import { dayBars, known, wholeSpan } from "./days.js";
import { actions } from "./actions.js";
import { el, put } from "./dom.js";
import { age, brief, bytes, calendarDay, daysLeft, moment, percent, plural, secondsSince, span, took } from "./format.js";
import { chooser } from "./latency.js";
import { incidentColumns } from "./overview.js";
import { pollColumns } from "./phases.js";
import { showMark } from "./states.js";
import { panel, reason, table } from "./table.js";

/** Milliseconds from one look at the target to the next. */
const RHYTHM = 5000;
const SPANS = { "24h": [86400, 900], "7d": [604800, 3600], "30d": [2592000, 14400], "90d": [7776000, 86400] };

/** The view of the target with this id. */
export function target({ live, id, go }) {
  const head = header();
  const days = panel("Uptime by day", { id: "days" });
  const history = historyPanel(id);
  const polls = pollsPanel();
  const incidents = panel("Incidents", { id: "outages" });
  const outages = table("Incidents", incidentColumns(live, { withTarget: false }));
  incidents.body.append(outages.root);
  const hint = el("p", { class: "hint", role: "status" }, "Reading…");
  const rest = el("div", { class: "target-grid", hidden: true }, days.root, history.root, polls.drawing, incidents.root, polls.root);
  const root = el("div", { class: "target-page" }, head.root, hint, rest);
  const path = `/api/v1/targets/${encodeURIComponent(id)}`;
  let pending = 0;
  let isGone = false;

  async function load() {
    clearTimeout(pending);
    pending = 0;
    try {
      const found = await ask(path);
      hint.hidden = true;
      rest.hidden = false;
      show(found);
    } catch (error) {
      await without(error);
    }
  }

  function show(found) {
    const row = found.target ?? {};
    document.title = `${row.name || brief(row.url)} · poller`;
    head.show(found, live, () => load(), go);
    showDays(days, found.days ?? []);
    polls.show(found.polls ?? []);
    outages.show(found.incidents ?? []);
    incidents.say(found.incidents?.length ? "" : "None that is kept.");
  }

  // A daemon without pages of targets tells at least its row.
  async function without(error) {
    const isUnknown = error.status === 404 && !/nothing at/.test(error.message);
    isGone = isUnknown;
    rest.hidden = true;
    hint.hidden = false;
    put(hint, isUnknown ? `There is no target ${id}; it may have been removed.` : told(error));
    head.name(id);
  }

  load();
  const timer = setInterval(() => document.hidden || isGone || load(), RHYTHM);
  return {
    root,
    title: id,
    transition: (change) => change.target_id === id && (pending ||= setTimeout(load, 600)),
    outcome: (poll) => poll.target_id === id && (pending ||= setTimeout(load, 600)),
    resync: load,
    visitor: load,
    close() {
      clearInterval(timer);
      clearTimeout(pending);
      history.close();
    },
  };
}

/** Name, state, figures and what may be done. */
function header() {
  const state = el("span", { class: "state-mark" });
  const name = el("h1", {});
  const url = el("p", { class: "url" });
  const since = el("p", { class: "since" });
  const doing = el("div", { class: "actions" });
  const facts = el("dl", { class: "facts" });
  const labels = el("p", { class: "chips labels" });
  const root = el("header", { class: "target-head" },
    el("div", { class: "title" }, state, el("div", {}, name, url)), since, doing, facts, labels);
  return {
    root,
    name: (text) => put(name, text),
    show(found, live, reload, go) {
      const row = found.target ?? {};
      showMark(state, row.state);
      put(name, row.name || brief(row.url));
      put(url, row.name ? row.url : "");
      put(since, sinceText(row, live));
      actions(doing, found, { reload, go });
      facts.replaceChildren(...factsOf(found, live).flatMap(([title, text, tone]) =>
        [el("div", { "data-tone": tone }, el("dt", {}, title), el("dd", {}, text))]));
      labels.replaceChildren(...Object.entries(row.labels ?? {}).map(([key, value]) =>
        el("a", { href: `#/targets?${new URLSearchParams({ label: `${key}=${value}` })}` }, `${key}=${value}`)));
    },
  };
}

function sinceText(row, live) {
  const why = row.state === "up" || !row.cause ? "" : `: ${reason(row)}`;
  const flight = row.in_flight_seconds === null || row.in_flight_seconds === undefined ? "" : `; a poll runs for ${took(row.in_flight_seconds)}`;
  const paused = row.state === "paused" && row.paused_until ? ` until ${moment(row.paused_until)}` : "";
  return `${row.state}${row.since ? ` for ${age(row.since, live.nowMs)}` : ""}${paused}${why}${flight}`;
}

function factsOf(found, live) {
  const row = found.target ?? {};
  const uptime = found.uptime ?? row.uptime ?? {};
  const share = (value) => (value === null || value === undefined ? "–" : percent(value));
  const facts = [
    ["24 h", share(uptime["24h"])], ["7 days", share(uptime["7d"])], ["30 days", share(uptime["30d"])], ["90 days", share(uptime["90d"])],
    ["Last", `${row.code ?? "–"} in ${took(row.latency_seconds ?? NaN)}`],
  ];
  if (row.last_at) facts.push(["Polled", `${age(row.last_at, live.nowMs)} ago`]);
  facts.push(["Every", span(row.interval_seconds)]);
  if (found.timeout_seconds) facts.push(["Time limit", took(found.timeout_seconds)]);
  if (found.check) facts.push(["Check", found.method && /http|website/.test(found.check) ? `${found.check} ${found.method}` : found.check]);
  if (found.priority && found.priority !== "normal") facts.push(["Priority", found.priority]);
  if (row.group) facts.push(["Group", row.group]);
  const certificate = found.certificate ?? (Number.isFinite(row.certificate_days) ? { days: row.certificate_days } : null);
  if (certificate) {
    const until = certificate.until ? ` (${calendarDay(certificate.until)})` : "";
    facts.push(["Certificate", `${daysLeft(certificate.days)}${until}`, certificate.days < 4 ? "down" : certificate.days < 14 ? "warning" : null]);
  }
  facts.push(["From", row.origin === "api" ? "this page or the API" : "the list: read-only here"]);
  return facts;
}

function showDays(box, days) {
  const polled = days.filter((day) => known(day) > 0);
  box.say(days.length ? "" : "No day is kept yet.");
  if (!days.length) return;
  const key = JSON.stringify(days);
  if (box.body.dataset.key === key) return;
  box.body.dataset.key = key;
  const sum = (of) => polled.reduce((all, day) => all + of(day), 0);
  const share = sum((day) => day.up) / sum(known);
  put(box.note, polled.length ? `${percent(share)} of polls in ${plural(polled.length, "day")}` : "");
  const all = wholeSpan(days);
  box.body.replaceChildren(dayBars(all),
    el("p", { class: "ends" }, el("span", {}, calendarDay(all[0].day)), el("span", {}, "today")));
}

function historyPanel(id) {
  const box = panel("History", { id: "history" });
  const room = el("div", { class: "chart" });
  box.body.append(room);
  const lines = [
    { label: "max", colour: "faint", width: 1 }, { label: "p99", colour: "p99" }, { label: "p50", colour: "p50", fill: true },
    { label: "not up", colour: "down", points: true },
  ];
  const chart = new Chart(room, { height: 190, lines, label: "Latency of this target over time" });
  let span = "24h";
  let timer = 0;
  async function load() {
    clearTimeout(timer);
    const wanted = span;
    if (!wanted) return;
    const [seconds, step] = SPANS[wanted];
    const now = Date.now();
    try {
      const told = await ask(`/api/v1/targets/${encodeURIComponent(id)}/history`, {
        from: new Date(now - seconds * 1000).toISOString(), to: new Date(now).toISOString(), step,
      });
      if (wanted !== span) return;
      const points = told.points ?? [];
      const column = (name) => points.map((point) => point[name] ?? null);
      const failed = points.map((point) => (point.up < known(point) ? point.p50 ?? point.max ?? 0 : null));
      const at = points.map((point) => Date.parse(point.at) / 1000);
      const isYoung = at.length > 0 && now / 1000 - at[0] < seconds / 4;
      const from = isYoung ? at[0] - (told.step_seconds ?? step) : now / 1000 - seconds;
      chart.show([at, column("max"), column("p99"), column("p50"), failed], [from, now / 1000]);
      box.say(points.length ? "" : "Nothing is kept of this time.");
    } catch (error) {
      box.fail(error);
    }
    if (span) timer = setTimeout(load, 60000);
  }
  box.tools.append(chooser(Object.keys(SPANS), span, (chosen) => {
    span = chosen;
    load();
  }));
  load();
  const stop = onTheme(() => chart.draw());
  return {
    root: box.root,
    close() {
      span = "";
      clearTimeout(timer);
      stop();
      chart.close();
    },
  };
}

function pollsPanel() {
  const drawn = panel("Phases of the last polls", { id: "columns" });
  const columns = pollColumns();
  drawn.body.append(columns.root);
  const box = panel("Last polls", { id: "polls" });
  const phase = (key) => (item) => {
    const seconds = item.phases?.[key];
    return seconds === null || seconds === undefined ? "" : took(seconds);
  };
  const list = table("Last polls", [
    { title: "Verdict", kind: "mark", mark: (item) => item.verdict },
    { title: "At", kind: "time", text: (item) => moment(item.at), hint: (item) => `${item.at}, ${span(secondsSince(item.at))} ago` },
    { title: "Code", kind: "cause", text: (item) => [item.code, item.detail].filter(Boolean).join(" · "), hint: reason },
    { title: "Latency", kind: "figure", text: (item) => took(item.latency_seconds) },
    { title: "Name", kind: "figure wide", text: phase("resolve") },
    { title: "Connect", kind: "figure wide", text: phase("connect") },
    { title: "TLS", kind: "figure wide", text: phase("tls") },
    { title: "First byte", kind: "figure wide", text: phase("first_byte") },
    { title: "Transfer", kind: "figure wide", text: phase("transfer") },
    { title: "Bytes", kind: "figure", text: (item) => bytes(item.bytes) },
    { title: "Lag", kind: "figure wide", text: (item) => took(item.lag_seconds) },
    { title: "Kind", kind: "kind wide", text: (item) => (item.kind === "slot" ? "" : item.kind) },
  ]);
  box.body.append(list.root);
  return {
    root: box.root,
    drawing: drawn.root,
    show(polls) {
      list.show(polls);
      columns.show(polls);
      box.say(polls.length ? "" : "No poll is kept yet.");
      drawn.say(polls.length ? "" : "No poll is kept yet.");
    },
  };
}
