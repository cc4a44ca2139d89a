// Puts the page together: the strip at the top, the view that the address names, and what is live.

import { introduce, may, me } from "./ask.js";
import { byId, el, put } from "./dom.js";
import { editTarget } from "./edit.js";
import { fleet } from "./fleet.js";
import { plural, span } from "./format.js";
import { incidents } from "./incidents.js";
import { help, keys } from "./keys.js";
import { note } from "./latency.js";
import { Live } from "./live.js";
import { overview } from "./overview.js";
import { target } from "./target.js";
import { targets } from "./targets.js";
import { logout, visitor } from "./visitor.js";

const VIEWS = { "": overview, targets, incidents, target };
const live = new Live();
const strip = fleet(byId("fleet"), byId("banners"));
const search = byId("search-text");
let view = null;
/** Views that were gone to since the page was opened. */
let steps = 0;

/** The page, its id and its query, from the address. */
function place() {
  const [path, text = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [page, ...rest] = path.split("/");
  const parameters = new URLSearchParams(text);
  const query = Object.fromEntries(["text", "state", "cause", "sort", "group", "open"].map((name) => [name, parameters.get(name) ?? ""]));
  query.labels = parameters.getAll("label");
  return { page: Object.hasOwn(VIEWS, page) ? page : "", id: decoded(rest.join("/")), query };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function go(page, query, { replace = false } = {}) {
  const { labels = [], ...plain } = query;
  const parameters = new URLSearchParams(Object.entries(plain).filter(([, value]) => value));
  for (const label of labels) parameters.append("label", label);
  const text = parameters.toString();
  const hash = `#/${page}${text ? `?${text}` : ""}`;
  if (hash === (location.hash || "#/")) return;
  if (replace) {
    history.replaceState(null, "", hash);
    show();
  } else {
    steps += 1;
    location.hash = hash;
  }
}

function show() {
  if (location.hash && !location.hash.startsWith("#/")) return;
  const { page, id, query } = place();
  const isSame = view?.page === page;
  const kept = document.activeElement?.dataset?.keep;
  view?.close?.();
  view = VIEWS[page]({ live, id, query, go });
  view.page = page;
  byId("view").replaceChildren(view.root);
  if (isSame && kept) view.root.querySelector(`[data-keep="${CSS.escape(kept)}"]`)?.focus();
  document.title = `${view.title} · poller`;
  document.body.dataset.page = page;
  for (const link of document.querySelectorAll("[data-page]")) {
    if (link.dataset.page === page && link.matches("a")) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (document.activeElement !== search) search.value = page === "targets" ? query.text : "";
  if (live.summary) view.summary?.(live.summary);
  if (!isSame) scrollTo(0, 0);
}

function back() {
  if (place().page === "target" && steps > 0) history.back();
  else go("", {});
}

function listen() {
  live.addEventListener("summary", ({ detail }) => {
    note(detail);
    if (document.hidden) return;
    strip.show(detail);
    view?.summary?.(detail);
    put(search.form.querySelector("kbd"), "/");
    search.placeholder = `Search ${plural(detail.targets?.total ?? 0, "target")}`;
  });
  for (const name of ["transition", "outcome", "resync"]) {
    live.addEventListener(name, ({ detail }) => view?.[name]?.(detail));
  }
  live.addEventListener("state", () => connection());
  live.addEventListener("tick", () => connection());
}

/** Says how figures come, and how old they are when they do not. */
function connection() {
  const box = byId("connection");
  const old = live.silentSeconds;
  const words = {
    waiting: "connecting", stream: "live", questions: "every 2 s",
    lost: `connection lost, figures ${span(old)} old`,
  };
  box.dataset.state = live.state;
  put(box, words[live.state]);
  box.title = live.summary ? `Figures of ${live.summary.as_of}` : "";
  document.body.classList.toggle("stale", live.state === "lost");
  const banners = byId("banners");
  const banner = banners.querySelector(".lost");
  const isLost = live.state === "lost" || (live.state === "waiting" && live.error);
  if (!isLost) return banner?.remove();
  const text = live.summary
    ? "The daemon cannot be reached. What is shown is old; it goes on by itself when the connection is back."
    : `The daemon cannot be asked: ${live.error?.message ?? "it does not answer"}.`;
  if (banner) put(banner.lastChild, text);
  else put(byId("say"), `Connection lost. ${text}`);
  if (!banner) banners.prepend(el("p", { class: "banner lost down" }, el("strong", {}, "Connection lost"), el("span", {}, text)));
}

const THEMES = ["", "light", "dark"];

function toggle() {
  const root = document.documentElement;
  const next = THEMES[(THEMES.indexOf(root.dataset.theme ?? "") + 1) % THEMES.length];
  if (next) root.dataset.theme = next;
  else delete root.dataset.theme;
  try {
    if (next) localStorage.setItem("theme", next);
    else localStorage.removeItem("theme");
  } catch {
    // It holds for this page alone then.
  }
  themed();
  dispatchEvent(new Event("themechange"));
}

function themed() {
  const theme = document.documentElement.dataset.theme ?? "";
  const button = byId("theme");
  put(button, { "": "◐", light: "○", dark: "●" }[theme]);
  button.setAttribute("aria-label", `Theme: ${theme || "as the system has it"}`);
}

/** Searches while one types, a moment after the last letter. */
function searching() {
  let timer = 0;
  const look = () => {
    clearTimeout(timer);
    const text = search.value.trim();
    const { page, query } = place();
    const isTargets = page === "targets";
    if (text || isTargets) go("targets", { ...(isTargets ? query : {}), text }, { replace: isTargets });
  };
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(look, 200);
  });
  search.form.addEventListener("submit", (event) => {
    event.preventDefault();
    look();
  });
}

async function start() {
  themed();
  listen();
  searching();
  byId("theme").addEventListener("click", toggle);
  byId("help").addEventListener("click", help);
  byId("add").addEventListener("click", async () => {
    if (await editTarget()) view?.resync?.();
  });
  keys({ go, back, toggle });
  addEventListener("hashchange", show);
  byId("view").addEventListener("click", (event) => {
    if (event.target.closest('a[href^="#/"]')) steps += 1;
  });
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    byId("view").focus();
  });
  show();
  live.start();
  await introduce();
  byId("add").hidden = !may("admin");
  view?.visitor?.();
  visitor(byId("who"), me, logout);
}

start();
