// Charts over time, by uPlot, in the colours of the theme and as wide as there is room.

import { took } from "./format.js";

/* global uPlot */

/** A colour of the theme, as drawings take it. */
export function colour(name) {
  const probe = document.body;
  probe.style.accentColor = `var(--${name})`;
  const found = getComputedStyle(probe).accentColor;
  probe.style.accentColor = "";
  return found;
}

/** What every font of a drawing is. */
export const FONT = '11px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';

/** Points below which each is drawn. */
const FEW = 30;

/** Room left of the drawing, for its scale; charts above each other share it. */
export const LEFT = 52;

/**
 * A chart in `room`, `height` pixels high. A line has a `label`, a `colour` by name and says with
 * `fill` whether the room below is filled. `show` takes columns (seconds, then one
 * for each line), and the time from and until which they are shown.
 */
export class Chart {
  constructor(room, { height, lines, label, value = took, log = false }) {
    Object.assign(this, { room, height, lines, value, log, data: [[], ...lines.map(() => [])] });
    room.setAttribute("role", "img");
    room.setAttribute("aria-label", label);
    this.observer = new ResizeObserver(() => this.fit());
    this.observer.observe(room);
  }

  show(data, window = null) {
    this.data = data;
    this.window = window;
    if (this.plot) this.plot.setData(data);
    else this.draw();
  }

  /** Draws anew, as after a change of the theme. */
  draw() {
    this.plot?.destroy();
    this.plot = null;
    if (!this.room.clientWidth || !globalThis.uPlot) return;
    this.plot = new uPlot(this.options(), this.data, this.room);
  }

  fit() {
    const width = this.room.clientWidth;
    if (!width) return;
    if (!this.plot) this.draw();
    else if (this.plot.width !== width) this.plot.setSize({ width, height: this.height });
  }

  options() {
    const [ink, line] = [colour("muted"), colour("line")];
    const axis = { stroke: ink, font: FONT, grid: { stroke: line, width: 1 }, ticks: { show: false } };
    return {
      width: this.room.clientWidth,
      height: this.height,
      padding: [8, 8, 0, 0],
      cursor: { y: false, drag: { setScale: false }, points: { size: 6 } },
      legend: { live: true, markers: { width: 2 } },
      scales: { x: { time: true, range: (_, least, most) => this.window ?? [least, most] }, y: this.log ? { distr: 3 } : { range: (_, __, most) => [0, most > 0 ? most * 1.05 : 1] } },
      axes: [
        { ...axis, space: 70, size: 26, values: times },
        { ...axis, size: LEFT, space: 34, values: (_, splits) => splits.map((split) => (split === null ? "" : this.value(split))) },
      ],
      series: [
        { label: "at", value: (_, at) => (at === null ? "–" : stamp(at)) },
        ...this.lines.map((one) => this.series(one)),
      ],
    };
  }

  series({ label, colour: name, fill, width = 1.5, points }) {
    const stroke = colour(name);
    return {
      label,
      stroke,
      width,
      fill: fill ? `color-mix(in srgb, ${stroke} 14%, transparent)` : undefined,
      spanGaps: false,
      // Single points are seen, too, where there are few.
      points: points ? { show: true, size: 5, fill: stroke } : { show: (plot) => plot.data[0].length < FEW, size: 4, fill: stroke },
      paths: points ? () => null : undefined,
      value: (_, value) => (value === null || value === undefined ? "–" : this.value(value)),
    };
  }

  close() {
    this.observer.disconnect();
    this.plot?.destroy();
    this.plot = null;
  }
}

const two = (value) => String(value).padStart(2, "0");

function times(plot, splits) {
  const apart = splits.length > 1 ? splits[1] - splits[0] : 0;
  return splits.map((split) => {
    const at = new Date(split * 1000);
    const time = `${two(at.getHours())}:${two(at.getMinutes())}`;
    if (apart < 60) return `${time}:${two(at.getSeconds())}`;
    const date = `${at.getDate()} ${MONTHS[at.getMonth()]}`;
    return apart >= 86400 || (at.getHours() === 0 && at.getMinutes() === 0) ? date : time;
  });
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** A moment in seconds as charts tell it. */
export function stamp(seconds) {
  const at = new Date(seconds * 1000);
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  const isToday = at.toDateString() === new Date().toDateString();
  return isToday ? time : `${at.getDate()} ${MONTHS[at.getMonth()]} ${time}`;
}

/** Tells `listen` whenever the theme changes; returns how to stop that. */
export function onTheme(listen) {
  const media = matchMedia("(prefers-color-scheme: dark)");
  media.addEventListener("change", listen);
  addEventListener("themechange", listen);
  return () => {
    media.removeEventListener("change", listen);
    removeEventListener("themechange", listen);
  };
}
