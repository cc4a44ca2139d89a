// The panel of latencies: percentiles over time, and the heat map below them.

import { AskError, ask } from "./ask.js";
import { Chart, onTheme } from "./charts.js";
import { el } from "./dom.js";
import { Heat } from "./heat.js";
import { panel } from "./table.js";

/** Spans that can be chosen: seconds, and how often they are asked for again. */
const SPANS = { "5m": [300, 5], "1h": [3600, 20], "24h": [86400, 60], "7d": [604800, 300], "30d": [2592000, 900] };
/** Seconds of figures that are kept for a daemon which tells no past. */
const KEPT = 1800;
/** What this page has seen since it was opened, whichever view was shown. */
const seen = [];

/** Notes the latencies of `summary`. */
export function note(summary) {
  const { p50, p90, p99, max, count } = summary.latency_5m ?? {};
  if (!count) return;
  seen.push({ at: summary.as_of, p50, p90, p99, max, buckets: [] });
  if (seen.length > KEPT) seen.shift();
}

/** The panel; `close` it when it is not shown any more. */
export function latencyPanel() {
  const box = panel("Latency", { id: "latency" });
  const room = el("div", { class: "chart" });
  const map = el("div", {});
  const caption = el("p", { class: "caption" }, "Polls by how long they took");
  box.body.append(room, caption, map);
  const lines = [
    { label: "p99", colour: "p99" }, { label: "p90", colour: "p90" }, { label: "p50", colour: "p50", fill: true },
  ];
  const chart = new Chart(room, { height: 158, log: true, lines, label: "Latency over time: median, 90th and 99th percentile" });
  const heat = new Heat(map, 132);
  let span = remembered();
  let timer = 0;
  let isOffered = true;
  const choice = chooser(Object.keys(SPANS), span, (chosen) => {
    span = chosen;
    remember(span);
    load();
  });
  box.tools.append(choice);

  async function load() {
    clearTimeout(timer);
    const wanted = span;
    try {
      if (!isOffered) throw new AskError(404, "");
      const told = await ask("/api/v1/latency", { span: wanted });
      if (wanted !== span) return;
      show(told.points, told.step_seconds, SPANS[wanted][0]);
      box.say("");
    } catch (error) {
      if (error.isNotOffered) fall();
      else box.fail(error);
    }
    timer = setTimeout(load, isOffered ? SPANS[span][1] * 1000 : 1000);
  }

  // Without a past, what was seen since the page was opened.
  function fall() {
    isOffered = false;
    choice.hidden = true;
    map.hidden = caption.hidden = true;
    box.note.textContent = "since this page was opened; no past is offered by this daemon";
    if (seen.length > 1) show(seen, 1, 0);
    box.say(seen.length > 1 ? "" : "Waiting for figures…");
  }

  function show(points, step, seconds) {
    const at = points.map((point) => Date.parse(point.at) / 1000);
    const column = (name) => points.map((point) => (point.count === 0 ? null : point[name] ?? null));
    const until = at.length ? at[at.length - 1] + step : Date.now() / 1000;
    // A daemon that is young has its past drawn as large as that of an old one.
    const isYoung = !seconds || (at.length > 0 && until - at[0] < seconds / 4);
    const from = isYoung && at.length ? at[0] - step : until - seconds;
    chart.show([at, column("p99"), column("p90"), column("p50")], [from, until]);
    if (!map.hidden) heat.show(points, step, [from, until]);
  }

  const stop = onTheme(() => {
    chart.draw();
    heat.draw();
  });
  load();
  return {
    root: box.root,
    close() {
      clearTimeout(timer);
      timer = -1;
      span = "";
      stop();
      chart.close();
      heat.close();
    },
  };
}

/** Buttons of which one is chosen. */
export function chooser(names, chosen, choose) {
  const group = el("span", { class: "chooser", role: "group", "aria-label": "Span" });
  for (const name of names) {
    const button = el("button", { type: "button", "aria-pressed": String(name === chosen) }, name);
    button.addEventListener("click", () => {
      for (const other of group.children) other.setAttribute("aria-pressed", String(other === button));
      choose(name);
    });
    group.append(button);
  }
  return group;
}

function remembered() {
  try {
    const span = localStorage.getItem("span");
    return SPANS[span] ? span : "1h";
  } catch {
    return "1h";
  }
}

function remember(span) {
  try {
    localStorage.setItem("span", span);
  } catch {
    // It is asked for again next time.
  }
}
