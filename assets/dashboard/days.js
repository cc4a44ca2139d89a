// Uptime by day: a bar for each of the last ninety.

import { svg } from "./dom.js";
import { calendarDay, count, percent, took } from "./format.js";

/** Bars of `days`, the oldest first, in a drawing that is as wide as it may be. */
export function dayBars(days) {
  const bars = days.map((day, at) => {
    const seen = known(day);
    const share = seen ? day.up / seen : null;
    const kind = quality(share);
    const height = HEIGHTS[kind];
    const bar = svg("rect", { class: `day ${kind}`, x: at * 10 + 1, y: 34 - height, width: 8, height, rx: 2 }, svg("title"));
    const latency = day.p99 === null || day.p99 === undefined ? "" : `, p50 ${took(day.p50)}, p99 ${took(day.p99)}`;
    bar.firstChild.textContent = `${calendarDay(day.day)}: ${seen ? `${percent(share)} of ${count(seen)} polls up${latency}` : "no polls"}`;
    return bar;
  });
  const label = `Uptime by day, ${days.length} days`;
  return svg("svg", { class: "days", viewBox: `0 0 ${Math.max(1, days.length) * 10} 34`, preserveAspectRatio: "none", role: "img", "aria-label": label }, ...bars);
}

const DAY_MS = 86400000;
const DAYS = 90;

/** The last ninety days, of which `days` are those that something is kept of. */
export function wholeSpan(days, nowMs = Date.now()) {
  const kept = new Map(days.map((day) => [Math.floor(Date.parse(day.day) / DAY_MS), day]));
  const today = Math.max(Math.floor(nowMs / DAY_MS), ...kept.keys());
  return Array.from({ length: DAYS }, (_, at) => {
    const number = today - DAYS + 1 + at;
    return kept.get(number) ?? { day: new Date(number * DAY_MS).toISOString(), checks: 0, up: 0 };
  });
}

/** Polls of a day whose verdict counts: not those that failed by a fault of ours. */
export const known = (day) => (day.checks ?? 0) - (day.unknown ?? 0);

/** Bars are told apart by their heights as well as by their colours. */
const HEIGHTS = { good: 34, mixed: 25, bad: 15, unseen: 34 };

/** How good a day was. */
function quality(share) {
  if (share === null) return "unseen";
  if (share >= 0.999) return "good";
  return share >= 0.95 ? "mixed" : "bad";
}
