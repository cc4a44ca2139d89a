// Who is here, and the way in and out.

import { change } from "./ask.js";
import { el } from "./dom.js";
import { toast } from "./dialog.js";

/** Shows in `room` who `me` is, with a link to log in or a button to log out. */
export function visitor(room, me, leave) {
  if (!me.isKnown) {
    if (me.role === null) room.replaceChildren(el("a", { href: "/login", class: "quiet button" }, "Log in"));
    return;
  }
  const word = el("span", { class: "role", title: `You came in by ${me.via}` }, me.name ? `${me.name} · ${me.role}` : me.role ?? "stranger");
  const way = me.via === "session"
    ? el("button", { type: "button", class: "quiet", click: leave }, "Log out")
    : el("a", { href: "/login", class: "quiet button" }, "Log in");
  const isDone = me.via === "token" || me.via === "jwt" || me.via === "socket";
  room.replaceChildren(word, ...(isDone ? [] : [way]));
}

/** Ends the session. */
export async function logout() {
  try {
    await change("POST", "/logout");
    location.reload();
  } catch (error) {
    toast(`Not logged out: ${error.message}`);
  }
}
