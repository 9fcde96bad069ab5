// The members as a table: what needs a look comes first, unless a column is chosen.

import { $, ago, count, h, natural, replace, span } from "./dom.js";
import { byTrouble, fits } from "./merge.js";
import { LIVE, badges, because } from "./words.js";

const COLUMNS = [
  ["state", "State", byTrouble],
  ["name", "Name", (one, other) => natural(one.name, other.name)],
  ["age", "For", (one, other) => one.row.age - other.row.age],
  ["heard", "Heard", (one, other) => (other.row.heard ?? Infinity) - (one.row.heard ?? Infinity)],
  ["trip", "Round trip", (one, other) => (other.row.round_trip ?? 0) - (one.row.round_trip ?? 0)],
  ["address", "Address", (one, other) => natural(one.row.address, other.row.address)],
  ["metadata", "Metadata", null],
];
let sorted = "state";

export function setUpList(changed) {
  $("columns").append(...COLUMNS.map(([key, title, order]) => h("th", { scope: "col", class: key, id: `column-${key}` },
    order ? h("button", { type: "button", onclick: () => { sorted = key; changed(); } }, title) : title)));
  $("filter").addEventListener("input", changed);
}

export function showList({ views, members, t }, now) {
  const text = $("filter").value.trim().toLowerCase();
  const order = COLUMNS.find(([key]) => key === sorted)[2];
  const chosen = members.filter((member) => !text || fits(member, text)).sort(order);
  for (const [key] of COLUMNS) $(`column-${key}`).setAttribute("aria-sort", key === sorted ? "ascending" : "none");
  $("matching").textContent = text ? `${chosen.length} of ${count(members.length, "member")}` : "";
  const passed = Math.max(0, now - t);
  const focused = document.activeElement?.closest?.("tr")?.dataset.name;
  replace($("members"), chosen.map((member) => line(member, views, passed)));
  if (focused && document.activeElement === document.body) {
    $("members").querySelector(`tr[data-name="${CSS.escape(focused)}"] button`)?.focus({ preventScroll: true });
  }
}

function line(member, views, passed) {
  const row = member.row;
  const why = because(row.rule);
  const doubts = row.unanswered > 1 ? h("span", { class: "doubt" }, `${row.unanswered} pings unanswered`) : "";
  const metadata = Object.entries(row.metadata ?? {}).sort(([one], [other]) => natural(one, other));
  return h("tr", { "data-name": member.name, class: member.differs ? "differs" : null },
    h("td", { class: "state" }, badges(member.states, views)),
    h("th", { scope: "row", class: "name" }, h("button", { type: "button", "data-why": member.name }, member.name),
      why && !LIVE.has(row.state) || row.state === "suspect" ? h("small", {}, why) : "", doubts),
    h("td", { class: "age" }, ago(row.age + passed)),
    h("td", { class: "heard" }, row.heard === null ? "–" : ago(row.heard + passed)),
    h("td", { class: "trip" }, span(row.round_trip)),
    h("td", { class: "address" }, row.address),
    h("td", { class: "metadata" }, metadata.map(([key, value]) => h("span", {}, h("i", {}, `${key}=`), value, " "))));
}

// The row after the focused one, or before it; the first one where none is.
export function step(by) {
  const buttons = [...$("members").querySelectorAll("th.name button")];
  const at = buttons.indexOf(document.activeElement);
  buttons[at < 0 ? 0 : Math.min(Math.max(at + by, 0), buttons.length - 1)]?.focus();
}
