// The heat map: when how many polls took how long, with a scale of powers of ten.

import { FONT, LEFT, colour, stamp } from "./charts.js";
import { el, put } from "./dom.js";
import { count, took } from "./format.js";

const RIGHT = 8;
const BOTTOM = 20;
const TOP = 6;
const MARKS = [0.0001, 0.001, 0.01, 0.1, 1, 10, 100];

/** A heat map in `room`, `height` pixels high. */
export class Heat {
  constructor(room, height) {
    this.height = height;
    this.points = [];
    this.step = 1;
    this.canvas = el("canvas", { role: "img", "aria-label": "Heat map: how many polls took how long" });
    this.tip = el("div", { class: "tip", hidden: true });
    this.room = room;
    room.classList.add("heat");
    room.append(this.canvas, this.tip);
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    this.canvas.addEventListener("pointerleave", () => (this.tip.hidden = true));
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(room);
  }

  /** Shows `points`, each `step` seconds long, in the time from `from` to `until` (seconds). */
  show(points, step, [from, until]) {
    Object.assign(this, { step, from, until });
    const below = bounds(points);
    this.points = points.map((point) => ({
      at: Date.parse(point.at) / 1000,
      cells: (point.buckets ?? []).filter(([, polls]) => polls > 0).map(([upper, polls]) => ({
        low: Math.log10(below.get(upper)), high: Math.log10(Math.min(upper, LONGEST)), count: polls,
      })),
    }));
    const cells = this.points.flatMap((point) => point.cells);
    this.low = cells.reduce((low, cell) => Math.min(low, cell.low), -2);
    this.high = cells.reduce((high, cell) => Math.max(high, cell.high), 0);
    this.most = cells.reduce((most, cell) => Math.max(most, cell.count), 1);
    this.draw();
  }

  draw() {
    const width = this.room.clientWidth;
    if (!width || this.from === undefined) return;
    const scale = devicePixelRatio || 1;
    this.canvas.width = width * scale;
    this.canvas.height = this.height * scale;
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${this.height}px`;
    const pen = this.canvas.getContext("2d");
    pen.scale(scale, scale);
    this.scale(pen, width);
    pen.fillStyle = colour("heat");
    const across = Math.max(1, this.x(this.from + this.step) - this.x(this.from));
    for (const point of this.points) {
      const left = this.x(point.at);
      if (left < LEFT - across || left > width - RIGHT) continue;
      for (const cell of point.cells) {
        pen.globalAlpha = 0.07 + 0.93 * (Math.log1p(cell.count) / Math.log1p(this.most)) ** 2.4;
        const top = this.y(cell.high);
        pen.fillRect(Math.max(left, LEFT), top, across + 0.4, this.y(cell.low) - top + 0.4);
      }
    }
    pen.globalAlpha = 1;
  }

  scale(pen, width) {
    pen.font = FONT;
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    for (const mark of MARKS) {
      const row = Math.log10(mark);
      if (row < this.low || row > this.high) continue;
      pen.fillStyle = colour("line");
      pen.fillRect(LEFT, Math.round(this.y(row)), width - LEFT - RIGHT, 1);
      pen.fillStyle = colour("muted");
      pen.fillText(mark < 1 ? `${mark * 1000} ms` : `${mark} s`, LEFT - 6, this.y(row));
    }
  }

  x(at) {
    const width = this.room.clientWidth - LEFT - RIGHT;
    return LEFT + ((at - this.from) / (this.until - this.from)) * width;
  }

  y(row) {
    const height = this.height - TOP - BOTTOM + 12;
    return TOP + height * (1 - (row - this.low) / (this.high - this.low));
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const point = this.points.find((one) => x >= this.x(one.at) && x < this.x(one.at + this.step));
    const cell = point?.cells.find((one) => y <= this.y(one.low) && y > this.y(one.high));
    this.tip.hidden = !cell;
    if (!cell) return;
    const range = `${took(10 ** cell.low)} to ${took(10 ** cell.high)}`;
    put(this.tip, `${stamp(point.at)}: ${count(cell.count)} took ${range}`);
    this.tip.style.left = `${Math.min(x + 12, Math.max(0, box.width - this.tip.offsetWidth - 4))}px`;
    this.tip.style.top = `${Math.max(0, y - 28)}px`;
  }

  close() {
    this.observer.disconnect();
  }
}

/** Seconds that everything longer is drawn with. */
const LONGEST = 100;

/** For each upper bound of a bucket the lower one: the next bound that occurs, unless it is far. */
function bounds(points) {
  const all = new Set();
  for (const point of points) for (const [upper] of point.buckets ?? []) all.add(upper);
  const sorted = [...all].sort((one, other) => one - other);
  return new Map(sorted.map((upper, at) => [upper, Math.max(sorted[at - 1] ?? 0, Math.min(upper, LONGEST) / 2.5)]));
}
