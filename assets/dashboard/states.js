// The states of targets: their names, and a mark for each that is told apart without its colour.

import { svg } from "./dom.js";

/** All states, in the order of the bar. */
export const STATES = ["up", "warning", "down", "unknown", "pending", "paused"];

/** What each says. */
export const MEANING = {
  up: "answers as it should",
  warning: "answers, but not as it should",
  down: "does not answer as it must",
  unknown: "cannot be told, for a reason of ours",
  pending: "not polled yet",
  paused: "not polled for now",
};

/** Why polls fail, by whose fault it is. */
export const CAUSES = [
  "timeout", "dns", "connect", "reset", "tls", "protocol", "body", "redirect", "too_large", "status",
  "assertion", "throttled", "resolver", "no_network", "no_resources", "clock", "internal",
];

const SHAPES = {
  up: [["circle", { cx: 6, cy: 6, r: 4.2 }]],
  warning: [["path", { d: "M6 .9 11.5 11H.5Z" }], ["path", { d: "M6 4.400v3M6 9v.6", class: "cut" }]],
  down: [["rect", { x: 0.8, y: 0.8, width: 10.4, height: 10.4, rx: 2 }],
    ["path", { d: "M3.800 3.800l4.400 4.400M8.200 3.800l-4.400 4.400", class: "cut" }]],
  unknown: [["path", { d: "M6 .3 11.700 6 6 11.700.300 6Z" }], ["path", { d: "M6 3.200v3.300M6 8.200v.6", class: "cut" }]],
  pending: [["circle", { cx: 6, cy: 6, r: 3.9, class: "hollow" }]],
  paused: [["path", { d: "M2.500 1.500h2.500v9h-2.500zM7 1.500h2.500v9h-2.500z" }]],
};

/** The mark of `state`. */
export function mark(state) {
  const known = SHAPES[state] ? state : "pending";
  const shapes = SHAPES[known].map(([tag, attributes]) => svg(tag, attributes));
  return svg("svg", { class: `mark ${known}`, viewBox: "0 0 12 12", "aria-hidden": "true" }, ...shapes);
}

/** Changes `node`, which holds a mark and nothing else, to that of `state`. */
export function showMark(node, state) {
  if (node.dataset.state === state) return;
  node.dataset.state = state;
  const word = document.createElement("span");
  word.className = "unseen";
  word.textContent = state;
  node.replaceChildren(mark(state), word);
  node.title = MEANING[state] ? `${state}: ${MEANING[state]}` : state;
}
