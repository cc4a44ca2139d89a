// Where the time of a poll goes: its phases, over the fleet and for single polls.

import { attribute, el, put, svg } from "./dom.js";
import { moment, took } from "./format.js";
import { panel } from "./table.js";

/** The phases in their order, and what they are called. */
export const PHASES = [
  ["resolve", "name"], ["connect", "connect"], ["tls", "TLS"], ["first_byte", "first byte"], ["transfer", "transfer"],
];

/** The panel of the fleet's phases; `show` takes a summary. */
export function phasesPanel() {
  const box = panel("Where the time goes", { id: "phases" });
  put(box.note, "median and p99 of 5 minutes");
  const rows = PHASES.map(([key, name]) => {
    const [median, most] = [el("i", { class: `phase ${key}` }), el("i", { class: `tail ${key}` })];
    const figure = el("td", { class: "figure" });
    const row = el("tr", {}, el("th", { scope: "row" }, name), el("td", { class: "track" }, el("span", { class: "beam" }, most, median)), figure);
    return { key, median, most, figure, row };
  });
  box.body.append(el("table", { class: "phases", "aria-label": "Where the time goes: median and 99th percentile" },
    el("tbody", {}, ...rows.map(({ row }) => row))));
  return {
    root: box.root,
    show(summary) {
      const phases = summary.phases_5m ?? {};
      const longest = Math.max(1e-6, ...PHASES.map(([key]) => phases[key]?.p99 ?? 0));
      for (const { key, median, most, figure } of rows) {
        const { p50 = 0, p99 = 0 } = phases[key] ?? {};
        // Square roots, so that short phases are seen beside long ones.
        median.style.width = `${100 * Math.sqrt(p50 / longest)}%`;
        most.style.width = `${100 * Math.sqrt(p99 / longest)}%`;
        put(figure, p99 ? `${took(p50)} · ${took(p99)}` : "–");
      }
    },
  };
}

/** A drawing of single polls, the oldest left: a column each, made of its phases. */
export function pollColumns() {
  const height = 120;
  const root = el("div", { class: "polls-drawing" });
  const legend = el("p", { class: "keys" }, ...PHASES.map(([key, name]) => el("span", {}, el("i", { class: `phase ${key}` }), name)),
    el("span", {}, el("i", { class: "phase failed" }), "failed"));
  const scale = el("span", { class: "scale" });
  const drawing = svg("svg", { role: "img", "aria-label": "Phases of the last polls", preserveAspectRatio: "none" });
  root.append(el("div", { class: "room" }, drawing, scale), legend);
  return {
    root,
    show(polls) {
      const shown = [...polls].reverse();
      const longest = Math.max(0.001, ...shown.map((poll) => poll.latency_seconds ?? 0));
      attribute(drawing, "viewBox", `0 0 ${Math.max(20, shown.length) * 10} ${height}`);
      drawing.replaceChildren(...shown.map((poll, at) => column(poll, at, height / longest, height)));
      put(scale, took(longest));
    },
  };
}

function column(poll, at, scale, height) {
  const group = svg("g", {}, svg("title"));
  const parts = PHASES.map(([key, name]) => [key, name, poll.phases?.[key] ?? 0]);
  const told = parts.filter(([, , seconds]) => seconds > 0).map(([, name, seconds]) => `${name} ${took(seconds)}`);
  group.firstChild.textContent = [`${moment(poll.at)} ${poll.code ?? ""} ${took(poll.latency_seconds)}`, ...told].join("\n");
  const isUp = poll.verdict === "up" || poll.verdict === "warning";
  let top = height;
  const block = (kind, seconds) => {
    const tall = Math.max(0, seconds * scale);
    top -= tall;
    group.append(svg("rect", { class: `phase ${kind}`, x: at * 10 + 1, y: top, width: 8, height: tall }));
  };
  let rest = poll.latency_seconds ?? 0;
  for (const [key, , seconds] of parts) {
    block(key, seconds);
    rest -= seconds;
  }
  if (!isUp) block("failed", Math.max(rest, 3 / scale));
  else if (rest > 0.0005) block("rest", rest);
  return group;
}
