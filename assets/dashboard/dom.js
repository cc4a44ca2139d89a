// Elements. Whatever comes from outside gets in as text alone, never as markup.

/** An element with attributes (functions become listeners) and children (strings become text). */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name, value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** The same for drawings. */
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
}

/** Makes `text` the text of `node`, and touches nothing when it is so already. */
export function put(node, text) {
  const wanted = text ?? "";
  if (node.textContent !== wanted) node.textContent = wanted;
}

/** Gives `node` an attribute, or takes it away. */
export function attribute(node, name, value) {
  if (value === null || value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else if (node.getAttribute(name) !== String(value)) {
    node.setAttribute(name, String(value));
  }
}

/** `draw`, done at most every `ms` milliseconds, however often it is asked for. */
export function paced(draw, ms = 400) {
  let timer = 0;
  const asked = () => {
    timer ||= setTimeout(() => {
      timer = 0;
      draw();
    }, ms);
  };
  asked.stop = () => clearTimeout(timer);
  return asked;
}

/** The element with this id. */
export const byId = (id) => document.getElementById(id);
