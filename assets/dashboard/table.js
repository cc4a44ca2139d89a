// Panels and tables, whose rows stay while what is in them changes, so that focus stays, too.

import { attribute, el, put } from "./dom.js";
import { showMark } from "./states.js";
import { brief } from "./format.js";
import { told } from "./ask.js";

/** A panel with a heading, a place for notes and tools beside it, and a body. */
export function panel(title, { id, more } = {}) {
  const note = el("span", { class: "note" });
  const tools = el("span", { class: "tools" });
  const link = more ? el("a", { class: "more", href: more.href }, more.text) : null;
  const head = el("header", {}, el("h2", {}, title), note, tools, link);
  const body = el("div", { class: "body" });
  const hint = el("p", { class: "hint", hidden: true });
  const root = el("section", { class: "panel", id, "aria-label": title }, head, body, hint);
  const say = (text) => {
    put(hint, text);
    hint.hidden = !text;
    body.hidden = Boolean(text);
  };
  return { root, head, note, tools, body, say, fail: (error) => say(told(error)) };
}

/**
 * A table. A column has a `title` and one of: `text` (item to text), `mark` (item to state), `link`
 * (item to href, name, and detail); `kind` is its class, `hint` (item to text) its tooltip.
 */
export function table(label, columns) {
  const heads = columns.map((column) =>
    el("th", { scope: "col", class: column.kind },
      column.mark ? el("span", { class: "unseen" }, column.title) : column.title));
  const body = el("tbody");
  const root = el("table", { "aria-label": label }, el("thead", {}, el("tr", {}, ...heads)), body);
  // A row is as good as its link, unless somebody selects text in it.
  body.addEventListener("click", (event) => {
    if (event.target.closest("a, button") || String(getSelection())) return;
    event.target.closest("tr")?.querySelector("[data-row]")?.click();
  });
  const show = (items) => {
    while (body.rows.length > items.length) body.deleteRow(-1);
    items.forEach((item, at) => fill(body.rows[at] ?? body.appendChild(made(columns)), columns, item));
  };
  return { root, body, show };
}

function made(columns) {
  const cells = columns.map((column) => {
    const cell = el("td", { class: column.kind });
    if (column.link) {
      cell.append(el("a", { class: "name", "data-row": "" }, el("span", {}), el("small", {})));
    }
    return cell;
  });
  return el("tr", {}, ...cells);
}

function fill(row, columns, item) {
  columns.forEach((column, at) => {
    const cell = row.cells[at];
    if (column.mark) {
      showMark(cell, column.mark(item));
    } else if (column.link) {
      const { href, name, detail } = column.link(item);
      const link = cell.firstElementChild;
      attribute(link, "href", href);
      put(link.firstElementChild, name);
      put(link.lastElementChild, detail);
      attribute(link, "title", detail ? `${name}\n${detail}` : name);
    } else {
      put(cell, column.text(item));
    }
    if (column.hint) attribute(cell, "title", column.hint(item));
    if (column.tone) attribute(cell, "data-tone", column.tone(item));
  });
}

/** Where one target is shown: its page, or a search where its id is not told. */
export function targetLink(item) {
  const id = item.target_id ?? item.id;
  const name = item.name || brief(item.url);
  return {
    href: id ? `#/target/${encodeURIComponent(id)}` : `#/targets?text=${encodeURIComponent(item.url)}`,
    name,
    detail: item.name ? brief(item.url) : "",
  };
}

/** Cause and detail in a few words. */
export function reason(item) {
  const cause = item.cause || item.code || "";
  return item.detail ? `${cause} · ${item.detail}` : cause;
}
