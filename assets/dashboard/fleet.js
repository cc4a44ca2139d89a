// The strip at the top: how the fleet is now, in a bar and in numbers, and what is wrong with us.

import { attribute, byId, el, put, svg } from "./dom.js";
import { age, bytes, count, moment, rate, short, took } from "./format.js";
import { MEANING, STATES, mark } from "./states.js";

/** Points of the line of polls a second. */
const POINTS = 90;

/** Draws the strip in `root` and banners in `banners`; `show` takes a summary. */
export function fleet(root, banners) {
  const bar = el("div", { class: "bar", role: "img" });
  const segments = new Map(STATES.map((state) => {
    const segment = el("span", { class: state });
    bar.append(segment);
    return [state, segment];
  }));
  const total = el("strong", {});
  const extra = el("span", { class: "extra" });
  const numbers = new Map();
  const legend = el("ul", { class: "legend" });
  for (const state of STATES) {
    const number = el("b", {});
    const link = el("a", { href: `#/targets?state=${state}`, title: MEANING[state] }, mark(state), number, state);
    numbers.set(state, { number, link });
    legend.append(el("li", {}, link));
  }
  const figures = FIGURES.map((figure) => makeFigure(figure));
  root.replaceChildren(
    el("div", { class: "states" }, el("p", { class: "total" }, total, " targets", extra), bar, legend),
    el("dl", { class: "figures" }, ...figures.map((figure) => figure.root)),
  );
  const pace = new Pace();
  return {
    show(summary) {
      const targets = summary.targets ?? {};
      put(total, count(targets.total));
      put(extra, extras(targets, summary));
      for (const state of STATES) showState(state, targets, segments.get(state), numbers.get(state));
      attribute(bar, "aria-label", STATES.map((state) => `${count(targets[state])} ${state}`).join(", "));
      pace.add(summary);
      for (const figure of figures) figure.show(summary, pace);
      showBanners(banners, summary);
    },
  };
}

function showState(state, targets, segment, { number, link }) {
  const value = targets[state] ?? 0;
  segment.style.flexGrow = String(value / Math.max(1, targets.total ?? 1));
  segment.hidden = value === 0;
  put(number, count(value));
  link.classList.toggle("none", value === 0);
  link.parentElement.hidden = value === 0 && (state === "pending" || state === "paused");
}

function extras(targets, summary) {
  const parts = [];
  if (targets.unique && targets.unique !== targets.total) parts.push(`${count(targets.unique)} addresses`);
  if (targets.rejected) parts.push(`${count(targets.rejected)} entries rejected`);
  if (summary.started_at) parts.push(`polling for ${age(summary.started_at, Date.parse(summary.as_of))}`);
  return parts.length ? ` · ${parts.join(" · ")}` : "";
}

/** Polls a second, from what was counted between two words of the daemon. */
class Pace {
  constructor() {
    this.points = [];
    this.now = null;
  }

  add(summary) {
    const at = Date.parse(summary.as_of) / 1000;
    const polls = summary.checks?.since_start ?? 0;
    const last = this.last;
    this.last = { at, polls };
    if (!last || at - last.at < 0.2 || polls < last.polls) return;
    this.now = (polls - last.polls) / (at - last.at);
    this.points.push(this.now);
    if (this.points.length > POINTS) this.points.shift();
  }

  /** The last seconds' mean. */
  get mean() {
    const last = this.points.slice(-5);
    return last.length ? last.reduce((sum, point) => sum + point, 0) / last.length : null;
  }
}

/** The figures: what each is called, says, adds below, and when it needs attention. */
const FIGURES = [
  {
    title: "Polls a second",
    value: (s, pace) => rate(pace.mean ?? s.checks?.per_second),
    below: (s) => `${rate(s.checks?.per_second)} over 5 min`,
    isPace: true,
  },
  {
    title: "In flight",
    value: (s) => count(s.in_flight?.count),
    below: (s) => (s.schedule?.waiting ? `${short(s.schedule.waiting)} wait, ` : "") + `room for ${short(s.in_flight?.limit)}`,
    tone: (s) => (s.places?.state && s.places.state !== "ok" ? "warning" : null),
  },
  {
    title: "Schedule lag",
    value: (s) => took(s.schedule?.lag_p99),
    below: (s) => `p99, longest ${took(s.schedule?.lag_max)}`,
    tone: (s) => (s.schedule?.state === "saturated" ? "warning" : null),
  },
  {
    title: "Latency, median",
    value: (s) => (s.latency_5m?.count ? took(s.latency_5m.p50) : "–"),
    below: (s) => (s.latency_5m?.count ? `p90 ${took(s.latency_5m.p90)}, p99 ${took(s.latency_5m.p99)}` : "no answers in 5 min"),
  },
  {
    title: "Missed slots",
    value: (s) => count(s.checks?.missed),
    below: (s) => missedBy(s.checks?.missed_by) || "since the start",
    tone: (s) => (s.checks?.missed ? "warning" : null),
  },
  {
    title: "Storage",
    value: (s) => s.storage?.state || "–",
    below: (s) => `${short(s.storage?.samples)} polls, ${bytes(s.storage?.bytes)}`,
    tone: (s) => (s.storage?.state && s.storage.state !== "ok" ? "down" : null),
  },
];

function missedBy(by = {}) {
  const reasons = Object.entries(by).filter(([, slots]) => slots > 0);
  return reasons.map(([reason, slots]) => `${short(slots)} ${reason}`).join(", ");
}

function makeFigure(figure) {
  const value = el("dd", { class: "value" });
  const below = el("dd", { class: "below" });
  const root = el("div", { class: "figure" }, el("dt", {}, figure.title), value, below);
  const line = figure.isPace ? spark(root) : null;
  return {
    root,
    show(summary, pace) {
      put(value, figure.value(summary, pace));
      put(below, figure.below(summary, pace));
      attribute(root, "data-tone", figure.tone?.(summary));
      line?.(pace.points);
    },
  };
}

/** A small line; returns how it is drawn. */
function spark(root) {
  const path = svg("path", { class: "spark" });
  root.append(svg("svg", { viewBox: `0 0 ${POINTS} 24`, class: "spark", preserveAspectRatio: "none", "aria-hidden": "true" }, path));
  return (points) => {
    const most = Math.max(1, ...points) * 1.1;
    const left = POINTS - points.length;
    const steps = points.map((point, at) => `${at ? "L" : "M"}${left + at} ${(24 - (point / most) * 23).toFixed(1)}`);
    path.setAttribute("d", steps.join(""));
  };
}

/** What is wrong with the daemon itself. */
function showBanners(banners, summary) {
  const told = [];
  if (summary.judgement?.state === "held") {
    const { since, reason = "nearly everything fails together" } = summary.judgement;
    told.push(["unknown", "PROBABLY US", `${reason}; nothing is held against targets${since ? ` since ${moment(since)}` : ""}`]);
  }
  for (const fault of summary.own_faults ?? []) {
    told.push(["warning", "Our fault", `${fault.cause}${fault.detail ? ` · ${fault.detail}` : ""}, met by ${count(fault.count)} polls in the last minute`]);
  }
  for (const trouble of summary.cluster?.troubles ?? []) told.push(["down", "Cluster", trouble]);
  const storage = summary.storage ?? {};
  if (storage.state && storage.state !== "ok") {
    const waits = (storage.queued ?? 0) + (storage.spilled ?? 0);
    const lost = storage.lost ? `; ${count(storage.lost)} are lost` : "";
    told.push(["down", "Storage degraded", `${storage.reason ?? "it takes nothing"}; ${count(waits)} polls wait to be stored${lost}`]);
  }
  if (summary.schedule?.state === "saturated") {
    told.push(["warning", "Polls run late", `${count(summary.schedule.waiting)} targets are due and find no place`]);
  }
  if (summary.places?.reason && summary.places.state !== "ok") {
    told.push(["warning", `Places ${summary.places.state}`, summary.places.reason]);
  }
  const key = JSON.stringify(told.map(([state, title]) => [state, title]));
  if (banners.dataset.key === key) {
    told.forEach(([, , text], at) => put(banners.querySelectorAll(".fault span")[at], text));
    return;
  }
  banners.dataset.key = key;
  // Said once, and not with every figure that changes in it.
  put(byId("say"), told.map(([, title, text]) => `${title}: ${text}`).join(". "));
  for (const old of banners.querySelectorAll(".fault")) old.remove();
  for (const [state, title, text] of told) {
    banners.append(el("p", { class: `banner fault ${state}` }, mark(state), el("strong", {}, title), el("span", {}, text)));
  }
}
