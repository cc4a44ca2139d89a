// The form of a target of the API: a new one, or one that is there.

import { change } from "./ask.js";
import { dialog, field } from "./dialog.js";
import { el } from "./dom.js";

/** Fields of the form: key of the entry, label, kind, hint. */
const FIELDS = [
  ["url", "Address", "text", "as https://example.com/ or tcp://example.com:22"],
  ["name", "Name", "text", ""],
  ["id", "Id", "text", "made from the address when it is empty"],
  ["group", "Group", "text", ""],
  ["interval", "Every", "text", "as 30s or 5m; empty: as the settings have it"],
  ["timeout", "Time limit", "text", "as 10s"],
];
const METHODS = ["", "GET", "HEAD", "POST", "OPTIONS"];

/** Asks for a target, `found` or a new one, and has it kept; returns whether it was. */
export function editTarget(found = null) {
  const given = found ? entryOf(found) : {};
  const inputs = new Map(FIELDS.map(([key, , type]) => [key, el("input", {
    type, value: given[key] ?? "", autocomplete: "off", spellcheck: "false", required: key === "url", readonly: key === "id" && Boolean(found),
  })]));
  const method = el("select", {}, ...METHODS.map((name) => el("option", { value: name, selected: name === (given.method ?? "") }, name || "as usual")));
  const labels = el("textarea", { rows: 2, spellcheck: "false", placeholder: "team=web" });
  labels.value = Object.entries(given.labels ?? {}).map(([key, value]) => `${key}=${value}`).join("\n");
  const others = el("textarea", { rows: 3, spellcheck: "false", placeholder: '{"expect": {"status": [200]}}' });
  const content = [
    ...FIELDS.map(([key, label, , hint]) => field(label, inputs.get(key), hint)),
    field("Method", method),
    field("Labels", labels, "NAME=VALUE, one in each line"),
    field("Further keys", others, found ? "in JSON; what is not named stays as it is, null takes a key away" : "as in a list, in JSON"),
  ];
  const written = () => entry(inputs, method, labels, others);
  return dialog({
    title: found ? "Edit target" : "Add target",
    content: [el("div", { class: "fields" }, ...content)],
    button: found ? "Save" : "Add",
    act: () => (found ? merge(found, changes(given, written())) : add(written())),
  });
}

/** Has a new target kept; what the daemon rejects of it is an error. */
async function add(wanted) {
  refuse(await change("POST", "/api/v1/targets", wanted));
}

/** Has some keys of a target changed, and no others. */
async function merge(found, patch) {
  if (!Object.keys(patch).length) return;
  refuse(await change("PATCH", `/api/v1/targets/${encodeURIComponent(found.target.id)}`, patch));
}

function refuse(done) {
  const rejected = done?.rejected?.[0];
  if (rejected) throw new Error(rejected.reason);
}

/** The keys of `wanted` that are not as `given`; null for those that are gone. */
function changes(given, wanted) {
  const patch = {};
  for (const key of new Set([...Object.keys(given), ...Object.keys(wanted)])) {
    if (key === "id" || JSON.stringify(given[key]) === JSON.stringify(wanted[key])) continue;
    patch[key] = key === "labels" ? changes(given.labels ?? {}, wanted.labels ?? {}) : wanted[key] ?? null;
  }
  if (patch.labels && !Object.keys(patch.labels).length) delete patch.labels;
  return patch;
}

/** The entry as far as it is shown. */
function entryOf(found) {
  const row = found.target ?? {};
  return {
    id: row.id,
    url: row.url,
    name: row.name ?? undefined,
    group: row.group ?? undefined,
    interval: row.interval_seconds ? `${row.interval_seconds}s` : undefined,
    timeout: found.timeout_seconds ? `${found.timeout_seconds}s` : undefined,
    method: found.method ?? undefined,
    labels: row.labels,
  };
}

function entry(inputs, method, labels, others) {
  const made = others.value.trim() ? JSON.parse(others.value) : {};
  for (const [key, input] of inputs) {
    if (input.value.trim()) made[key] = input.value.trim();
  }
  if (method.value) made.method = method.value;
  const pairs = labels.value.split("\n").map((line) => line.trim()).filter(Boolean).map((line) => {
    const at = line.indexOf("=");
    if (at < 1) throw new Error(`a label is NAME=VALUE, not ${line}`);
    return [line.slice(0, at).trim(), line.slice(at + 1).trim()];
  });
  if (pairs.length) made.labels = Object.fromEntries(pairs);
  return made;
}
