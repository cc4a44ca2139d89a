// Questions to the daemon, and what is said when it does not answer them.

/** Who asks, as the daemon sees it. */
export const me = { role: "read", via: "nothing", name: null, csrf: null, isKnown: false };

const ROLES = ["read", "run", "admin"];

/** Whether the visitor may do what `role` may. */
export const may = (role) => ROLES.indexOf(me.role) >= ROLES.indexOf(role);

/** An answer that is none: with its status, and 0 when nobody answered. */
export class AskError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }

  /** Whether the daemon does not know the question. */
  get isNotOffered() {
    return this.status === 404 || this.status === 405 || this.status === 501;
  }
}

/** The address of a question; parameters without a value are left out. */
export function address(path, parameters = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") query.append(name, one);
    }
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

/** Asks, and returns the answer as a value. */
export async function ask(path, parameters = {}, { signal } = {}) {
  return answer(await send(address(path, parameters), { signal }));
}

/** Has the daemon change something; `body` goes as JSON. */
export async function change(method, path, body, headers = {}) {
  const all = { ...headers };
  if (body !== undefined) all["Content-Type"] = "application/json";
  if (me.csrf) all["X-CSRF-Token"] = me.csrf;
  const text = body === undefined ? undefined : JSON.stringify(body);
  return answer(await send(path, { method, headers: all, body: text }));
}

async function send(path, options) {
  try {
    return await fetch(path, { cache: "no-store", credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new AskError(0, "the daemon does not answer");
  }
}

async function answer(response) {
  const text = await response.text();
  const kind = response.headers.get("Content-Type") ?? "";
  let value = text;
  if (kind.includes("json")) {
    try {
      value = JSON.parse(text);
    } catch {
      throw new AskError(response.status, "the daemon's answer cannot be read");
    }
  }
  if (response.ok) return value;
  const detail = value?.detail ?? value?.title ?? (String(value).trim() || response.statusText);
  throw new AskError(response.status, detail);
}

/** Finds out who asks. */
export async function introduce() {
  try {
    Object.assign(me, await ask("/api/v1/me"), { isKnown: true });
  } catch (error) {
    // A daemon that knows no visitors lets everybody read.
    if (error.status === 401 || error.status === 403) me.role = null;
  }
  return me;
}

/** What people are told of `error`. */
export function told(error) {
  if (error.isNotOffered) return "Not offered by this daemon.";
  if (error.status === 401) return "Please log in to see this.";
  if (error.status === 429) return "Too many questions at once; it goes on in a moment.";
  const text = String(error.message || error);
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}
