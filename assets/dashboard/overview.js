// The first view: what needs attention, how latency is, what runs now.

import { ask } from "./ask.js";
import { clusterPanel } from "./cluster.js";
import { el, put } from "./dom.js";
import { age, count, daysLeft, moment, plural, span, took } from "./format.js";
import { latencyPanel } from "./latency.js";
import { phasesPanel } from "./phases.js";
import { panel, reason, table, targetLink } from "./table.js";

/** Rows of the panels. */
const WORST = 28;
const SLOWEST = 9;
const FLYING = 9;
const EXPIRING = 6;
const INCIDENTS = 6;
/** Pixels of a window that these rows fill, and of each row that a taller one has room for. */
const FILLED = 900;
const ROW = 21;
/** Milliseconds from one look at the worst targets to the next. */
const RHYTHM = 5000;

/** The view; `live` tells the time. */
export function overview({ live }) {
  const extra = Math.min(20, Math.max(0, Math.floor((innerHeight - FILLED) / ROW)));
  const cluster = clusterPanel();
  const latency = latencyPanel();
  const phases = phasesPanel();
  const worst = worstPanel(live, WORST + extra);
  const incidents = incidentsPanel(live, INCIDENTS + extra);
  const slowest = listPanel("Slowest of 5 minutes", { href: "#/targets?sort=latency", text: "all by latency" }, [
    { title: "Target", kind: "target", link: targetLink },
    { title: "Took", kind: "figure", text: (item) => took(item.seconds) },
  ]);
  const flying = listPanel("In flight", null, [
    { title: "Target", kind: "target", link: targetLink },
    { title: "Age", kind: "figure", text: (item) => took(item.for_seconds) },
  ]);
  const expiring = listPanel("Certificates running out", null, [
    { title: "Target", kind: "target", link: targetLink },
    { title: "Left", kind: "figure", text: (item) => (item.days < 0 ? "expired" : daysLeft(item.days)), hint: (item) => daysLeft(item.days), tone: (item) => (item.days < 4 ? "down" : "warning") },
  ]);
  const root = el("div", { class: "overview" },
    el("div", { class: "column" }, worst.root),
    el("div", { class: "column" }, latency.root, phases.root, incidents.root),
    el("div", { class: "column narrow" }, cluster.root, slowest.root, flying.root, expiring.root));
  const timer = setInterval(() => worst.load(), RHYTHM);
  return {
    root,
    title: "Overview",
    summary(summary) {
      cluster.show(summary.cluster);
      phases.show(summary);
      slowest.show(summary.slowest_5m?.slice(0, SLOWEST + Math.floor(extra / 3)), "No poll finished in the last 5 minutes.");
      const { urls = [], count: all = 0 } = summary.in_flight ?? {};
      flying.show(urls.slice(0, FLYING + Math.floor(extra / 3)), all > 0 ? `${plural(all, "poll")} of all checkers, which do not tell them one by one.` : "Nothing runs at this moment.");
      put(flying.note, all > FLYING && urls.length ? `the longest of ${count(all)}` : "");
      expiring.show(summary.certificates_expiring?.slice(0, EXPIRING), "None runs out soon.");
      const running = summary.certificates_expiring_total ?? 0;
      put(expiring.note, running > EXPIRING ? `the soonest of ${count(running)}` : "");
      worst.causes(summary.causes_5m ?? []);
    },
    transition(change) {
      worst.soon();
      incidents.add(change);
    },
    resync() {
      worst.load();
      incidents.load();
    },
    close() {
      clearInterval(timer);
      latency.close();
      worst.close();
      incidents.close();
    },
  };
}

function listPanel(title, more, columns) {
  const box = panel(title, { more });
  const list = table(title, columns);
  box.body.append(list.root);
  return {
    root: box.root,
    note: box.note,
    show(items = [], empty = "") {
      list.show(items);
      box.say(items.length ? "" : empty);
    },
  };
}

/** Targets, the worst first: down, warning, unknown, and then the slowest as far as there is room. */
function worstPanel(live, most) {
  const box = panel("Targets, the worst first", { id: "worst", more: { href: "#/targets?state=down&sort=downtime", text: "all that are down" } });
  const chips = el("p", { class: "chips", "aria-label": "Causes of the last 5 minutes" });
  const list = table("Targets, the worst first", [
    { title: "State", kind: "mark", mark: (item) => item.state },
    { title: "Target", kind: "target", link: targetLink },
    { title: "Cause", kind: "cause", text: (item) => (item.state === "up" ? item.code ?? "" : reason(item)), hint: reason },
    { title: "For", kind: "figure", text: (item) => age(item.since, live.nowMs), hint: (item) => item.since && `since ${moment(item.since)}` },
    { title: "Latency", kind: "figure wide", text: (item) => (item.latency_seconds === null ? "" : took(item.latency_seconds)) },
  ]);
  box.body.append(chips, list.root);
  let pending = 0;
  let isLoading = false;
  const load = async () => {
    clearTimeout(pending);
    pending = 0;
    if (isLoading || document.hidden) return;
    isLoading = true;
    try {
      const rows = await worstTargets(most);
      list.show(rows);
      box.say(rows.length ? "" : "No targets yet.");
    } catch (error) {
      box.fail(error);
    }
    isLoading = false;
  };
  load();
  return {
    root: box.root,
    load,
    soon: () => (pending ||= setTimeout(load, 700)),
    causes: (causes) => showCauses(chips, causes),
    close: () => clearTimeout(pending),
  };
}

async function worstTargets(most) {
  const rows = [];
  for (const query of [
    { state: "down", sort: "downtime" }, { state: "warning" }, { state: "unknown" }, { state: "up", sort: "latency" },
  ]) {
    if (rows.length >= most) break;
    rows.push(...(await page({ ...query, limit: most - rows.length })).targets);
  }
  return rows;
}

/** A page of targets; a daemon that does not sort is asked without. */
async function page(query) {
  try {
    return await ask("/api/v1/targets", query);
  } catch (error) {
    if (error.status !== 400 || !query.sort) throw error;
    return ask("/api/v1/targets", { ...query, sort: null });
  }
}

function showCauses(chips, causes) {
  const key = JSON.stringify(causes);
  if (chips.dataset.key === key) return;
  chips.dataset.key = key;
  const links = causes.slice(0, 6).map((cause) =>
    el("a", { href: `#/targets?cause=${encodeURIComponent(cause.cause)}`, title: cause.permanent ? "will not pass by itself" : "may pass by itself" },
      cause.cause, el("b", {}, count(cause.count))));
  chips.replaceChildren(...(links.length ? [el("span", {}, "Failed in 5 min:"), ...links] : [el("span", {}, "No poll failed in the last 5 minutes.")]));
}

/** The latest outages, and changes as they come. */
function incidentsPanel(live, most) {
  const box = panel("Incidents", { more: { href: "#/incidents", text: "all" } });
  const list = table("Incidents", incidentColumns(live));
  box.body.append(list.root);
  let pending = 0;
  const load = async () => {
    pending = 0;
    try {
      const { incidents } = await ask("/api/v1/incidents", { limit: most });
      list.show(incidents);
      box.say(incidents.length ? "" : "None so far.");
    } catch (error) {
      box.fail(error);
    }
  };
  load();
  const timer = setInterval(load, 15000);
  return {
    root: box.root,
    load,
    add: (change) => {
      const isOne = change.to === "down" || change.from === "down";
      if (isOne) pending ||= setTimeout(load, 1500);
    },
    close: () => {
      clearInterval(timer);
      clearTimeout(pending);
    },
  };
}

/** How outages are listed. */
export function incidentColumns(live, { withTarget = true } = {}) {
  const columns = [
    { title: "State", kind: "mark", mark: (item) => (item.ended ? "up" : "down") },
    { title: "Target", kind: "target", link: targetLink },
    { title: "Cause", kind: "cause", text: reason, hint: reason },
    { title: "Began", kind: "when wide", text: (item) => moment(item.began), hint: (item) => item.began },
    { title: "Lasted", kind: "figure", text: (item) => (item.ended ? span(item.seconds) : age(item.began, live.nowMs)), tone: (item) => (item.ended ? null : "down"), hint: (item) => (item.ended ? `until ${moment(item.ended)}` : "goes on") },
  ];
  if (withTarget) return columns;
  return columns.filter((column) => !column.link).map((column) => (column.kind === "cause" ? { ...column, kind: "cause grow" } : column));
}

