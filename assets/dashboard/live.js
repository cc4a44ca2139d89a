// What the daemon tells by itself: a stream of events, else a question every two seconds.

import { ask } from "./ask.js";

/** Milliseconds between questions where there is no stream. */
const RHYTHM = 2000;
/** Milliseconds after which silence counts as a lost connection. */
const SILENCE = 6000;
/** Milliseconds from one attempt at a stream to the next. */
const AGAIN = 15000;

/** How figures come: `stream`, `questions`, or `lost` when they do not. */
export class Live extends EventTarget {
  constructor() {
    super();
    this.state = "waiting";
    this.summary = null;
    this.heardMs = 0;
    this.source = null;
    this.askedMs = 0;
    this.openedMs = 0;
    this.isAsking = false;
  }

  /** Begins, and goes on until the page is closed. */
  start() {
    this.open();
    this.question();
    setInterval(() => this.tick(), 500);
    document.addEventListener("visibilitychange", () => document.hidden || this.tick());
    addEventListener("online", () => this.open());
    addEventListener("pagehide", () => this.source?.close());
    addEventListener("pageshow", (event) => event.persisted && this.open());
  }

  open() {
    this.source?.close();
    this.openedMs = performance.now();
    const source = new EventSource("/api/v1/events");
    this.source = source;
    source.addEventListener("summary", (event) => this.take(event.data, "stream"));
    for (const name of ["transition", "outcome"]) {
      source.addEventListener(name, (event) => {
        this.heardMs = performance.now();
        const value = parsed(event.data);
        if (value) this.tell(name, value);
      });
    }
    source.addEventListener("resync", () => this.tell("resync", null));
  }

  tick() {
    const now = performance.now();
    const silent = now - this.heardMs;
    const isBroken = !this.source || this.source.readyState === EventSource.CLOSED;
    const isStreaming = !isBroken && this.state === "stream" && silent < RHYTHM + 1000;
    if ((isBroken || silent > SILENCE) && now - this.openedMs > AGAIN) this.open();
    if (!isStreaming && !document.hidden && now - this.askedMs > RHYTHM) this.question();
    if (silent > SILENCE && this.summary) this.become("lost");
    this.tell("tick", null);
  }

  async question() {
    if (this.isAsking) return;
    this.isAsking = true;
    this.askedMs = performance.now();
    try {
      const summary = await ask("/api/v1/stats", {}, { signal: AbortSignal.timeout(5000) });
      if (this.state !== "stream" || performance.now() - this.heardMs > RHYTHM) {
        this.accept(summary, "questions");
      }
    } catch (error) {
      this.error = error;
      if (performance.now() - this.heardMs > RHYTHM) this.become("lost");
    }
    this.isAsking = false;
  }

  take(text, state) {
    const summary = parsed(text);
    if (summary) this.accept(summary, state);
  }

  accept(summary, state) {
    const wasLost = this.state === "lost";
    this.heardMs = performance.now();
    this.summary = summary;
    this.become(state);
    this.tell("summary", summary);
    if (wasLost) this.tell("resync", null);
  }

  become(state) {
    if (this.state === state) return;
    this.state = state;
    this.tell("state", state);
  }

  tell(name, value) {
    this.dispatchEvent(new CustomEvent(name, { detail: value }));
  }

  /** Seconds since anything was heard. */
  get silentSeconds() {
    return (performance.now() - this.heardMs) / 1000;
  }

  /** The daemon's time now in Unix milliseconds, as far as its last word tells. */
  get nowMs() {
    const told = Date.parse(this.summary?.as_of ?? "");
    return Number.isNaN(told) ? Date.now() : told + (performance.now() - this.heardMs);
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
