// Dialogs: questions before something is changed, and what came of it.

import { el, put } from "./dom.js";
import { told } from "./ask.js";

/**
 * Opens a dialog with `content`, and a button that does `act`; an error is shown in it and leaves it
 * open. Returns whether it was done.
 */
export function dialog({ title, content = [], button, act, isDanger = false }) {
  return new Promise((resolve) => {
    const error = el("p", { class: "error", role: "alert", hidden: true });
    const yes = button ? el("button", { type: "submit", class: isDanger ? "danger" : "primary" }, button) : null;
    const no = el("button", { type: "button", class: "quiet", click: () => box.close() }, button ? "Cancel" : "Close");
    const form = el("form", { method: "dialog" }, el("h2", { id: "dialog-title" }, title), ...content, error, el("div", { class: "buttons" }, no, yes));
    const box = el("dialog", { "aria-labelledby": "dialog-title" }, form);
    let isDone = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (!act) return box.close();
      yes.disabled = true;
      error.hidden = true;
      try {
        await act();
        isDone = true;
        box.close();
      } catch (problem) {
        put(error, told(problem));
        error.hidden = false;
      }
      yes.disabled = false;
    });
    box.addEventListener("close", () => {
      box.remove();
      resolve(isDone);
    });
    document.body.append(box);
    box.showModal();
    form.querySelector("input, select, textarea")?.focus();
  });
}

/** A field with its label. */
export function field(label, input, hint) {
  return el("label", { class: "field" }, el("span", {}, label), input, hint ? el("small", {}, hint) : null);
}

/** Says something for a moment at the bottom of the page. */
export function toast(text) {
  const note = el("p", { class: "toast", role: "status" }, text);
  document.body.append(note);
  setTimeout(() => note.remove(), 5000);
}
