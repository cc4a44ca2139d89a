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
    this.points = points.map((point) => ({ at: Date.parse(point.at) / 1000, cells: cells(point.buckets ?? []) }));
    const bounds = this.points.flatMap((point) => point.cells.map((cell) => cell.row));
    this.low = Math.min(...bounds, rowOf(0.01));
    this.high = Math.max(...bounds, rowOf(1)) + 1;
    this.most = Math.max(1, ...this.points.flatMap((point) => point.cells.map((cell) => cell.count)));
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
    const tall = this.y(0) - this.y(1);
    for (const point of this.points) {
      const left = this.x(point.at);
      if (left < LEFT - across || left > width - RIGHT) continue;
      for (const cell of point.cells) {
        pen.globalAlpha = 0.07 + 0.93 * (Math.log1p(cell.count) / Math.log1p(this.most)) ** 2.4;
        pen.fillRect(Math.max(left, LEFT), this.y(cell.row + 1), across + 0.4, tall + 0.4);
      }
    }
    pen.globalAlpha = 1;
  }

  scale(pen, width) {
    pen.font = FONT;
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    for (const mark of MARKS) {
      const row = rowOf(mark);
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
    const cell = point?.cells.find((one) => y <= this.y(one.row) && y > this.y(one.row + 1));
    this.tip.hidden = !cell;
    if (!cell) return;
    const range = `${took(boundOf(cell.row))} to ${took(boundOf(cell.row + 1))}`;
    put(this.tip, `${stamp(point.at)}: ${count(cell.count)} took ${range}`);
    this.tip.style.left = `${Math.min(x + 12, Math.max(0, box.width - this.tip.offsetWidth - 4))}px`;
    this.tip.style.top = `${Math.max(0, y - 28)}px`;
  }

  close() {
    this.observer.disconnect();
  }
}

/** Rows to each power of ten. */
const PER_TEN = 10;
const rowOf = (seconds) => Math.floor(Math.log10(Math.max(seconds, 1e-5)) * PER_TEN + 1e-6);
const boundOf = (row) => 10 ** (row / PER_TEN);

/** Buckets, whose bounds may be any, as rows of the map. */
function cells(buckets) {
  const rows = new Map();
  for (const [upper, polls] of buckets) {
    const row = rowOf(upper * 0.999);
    if (polls > 0 && Number.isFinite(row)) rows.set(row, (rows.get(row) ?? 0) + polls);
  }
  return [...rows].map(([row, polls]) => ({ row, count: polls }));
}
