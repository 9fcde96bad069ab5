// Elements, numbers and times. Whatever comes from the network becomes text, never markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== ""));
  return element;
}

export const h = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
export const s = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
export const $ = (id) => document.getElementById(id);

// A duration in at most six characters, as the commands print it: 0.4s, 12s, 3m05s, 2h10m, 5d03h.
export function ago(seconds) {
  if (seconds < 9.95) return `${Math.max(0, seconds).toFixed(1)}s`;
  const whole = Math.round(seconds);
  const two = (number) => String(number).padStart(2, "0");
  for (const [unit, smaller, name, less] of [[86400, 3600, "d", "h"], [3600, 60, "h", "m"], [60, 1, "m", "s"]])
    if (whole >= unit) return `${Math.floor(whole / unit)}${name}${two(Math.floor((whole % unit) / smaller))}${less}`;
  return `${whole}s`;
}

export function span(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const ms = seconds * 1e3;
  return `${ms.toFixed(ms < 10 ? 2 : ms < 100 ? 1 : 0)} ms`;
}

export const clock = (t) => new Date(t * 1e3).toLocaleTimeString("en-GB");
export const precise = (t) => `${clock(t)}.${String(Math.floor((t % 1) * 1e3)).padStart(3, "0")}`;
export const day = (t) => new Date(t * 1e3).toLocaleDateString(undefined, { weekday: "short", day: "numeric", month: "short" });

export const natural = new Intl.Collator("en", { numeric: true }).compare;

export function names(list, few = 3) {
  return list.slice(0, few).join(", ") + (list.length > few ? ` and ${list.length - few} more` : "");
}

export const count = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;

// A cluster and its answers change while somebody reads: what has not changed is left alone, with focus and selection.
export function replace(element, ...children) {
  const next = children.flat().filter((child) => child instanceof Node);
  const same = next.length === element.childNodes.length && next.every((child, at) => child.isEqualNode(element.childNodes[at]));
  if (!same) element.replaceChildren(...next);
}
