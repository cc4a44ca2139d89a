// Figures as people read them.

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** A count, as 1,234,567. */
export const count = (value) => (Number.isFinite(value) ? grouped.format(value) : "–");

/** A count in few letters, as 1.2 M. */
export function short(value) {
  if (!Number.isFinite(value)) return "–";
  for (const [unit, size] of [["G", 1e9], ["M", 1e6], ["k", 1e4]]) {
    if (value >= size) {
      const scaled = value / (unit === "k" ? 1e3 : size);
      return `${scaled.toFixed(scaled < 100 ? 1 : 0)} ${unit}`;
    }
  }
  return count(value);
}

/** A rate, with as many digits as say something. */
export function rate(value) {
  if (!Number.isFinite(value)) return "–";
  return value < 10 ? value.toFixed(1) : count(value);
}

/** How long something took, in seconds. */
export function took(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds < 0.001) return `${(seconds * 1e3).toFixed(seconds === 0 ? 0 : 2)} ms`;
  if (seconds < 0.01) return `${(seconds * 1e3).toFixed(1)} ms`;
  if (seconds < 1) return `${Math.round(seconds * 1e3)} ms`;
  if (seconds < 10) return `${seconds.toFixed(2)} s`;
  if (seconds < 100) return `${seconds.toFixed(1)} s`;
  return span(seconds);
}

/** A span of seconds in one unit, of which there are two at least. */
export function span(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 120) return `${whole} s`;
  if (whole < 7200) return `${Math.floor(whole / 60)} min`;
  if (whole < 172800) return `${Math.floor(whole / 3600)} h`;
  return `${Math.floor(whole / 86400)} d`;
}

/** Seconds from the moment `at` (RFC 3339) to `nowMs`. */
export const secondsSince = (at, nowMs = Date.now()) => (nowMs - Date.parse(at)) / 1000;

/** How long ago `at` was. */
export const age = (at, nowMs) => (at ? span(secondsSince(at, nowMs)) : "–");

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dated = new Intl.DateTimeFormat("en-GB", {
  day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit",
});
const day = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "short", year: "numeric", timeZone: "UTC" });

/** A moment of today by its time, any other with its date. */
export function moment(at) {
  const time = new Date(at);
  if (Number.isNaN(time.getTime())) return "–";
  return time.toDateString() === new Date().toDateString() ? clock.format(time) : dated.format(time);
}

/** A day of the calendar, in UTC. */
export const calendarDay = (at) => (Number.isNaN(Date.parse(at)) ? "–" : day.format(new Date(at)));

/** Bytes. */
export function bytes(value) {
  if (!Number.isFinite(value)) return "–";
  for (const [unit, size] of [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]]) {
    if (value >= size) return `${(value / size).toFixed(value / size < 10 ? 1 : 0)} ${unit}`;
  }
  return `${count(value)} B`;
}

/** A share from 0 to 1 in per cent; never rounded up to 100 %. */
export function percent(share) {
  if (!Number.isFinite(share)) return "–";
  if (share >= 1) return "100 %";
  return `${(Math.floor(share * 1e4) / 100).toFixed(2)} %`;
}

/** One thing or many of them. */
export const plural = (value, one, many = `${one}s`) => `${count(value)} ${value === 1 ? one : many}`;

/** Days until a certificate runs out. */
export function daysLeft(days) {
  if (days < 0) return `ran out ${plural(-days, "day")} ago`;
  return days === 0 ? "today" : plural(days, "day");
}

/** An address without what every address has. */
export const brief = (url) => String(url ?? "").replace(/^https:\/\//, "").replace(/^([^/]+)\/$/, "$1");
