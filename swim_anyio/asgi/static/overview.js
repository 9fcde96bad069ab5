// One card for each view, and a tile for each member, in groups that are seen alike.

import { $, count, h, replace } from "./dom.js";
import { groups } from "./merge.js";
import { STANDINGS, STATES, badges } from "./words.js";

const WORDS = { alive: "alive", suspect: "suspect", dead: "dead", left: "left", unknown: "not known" };

export function showOverview({ views, members }) {
  replace($("views"), views.map((view, at) => card(view, at, views.length, members)));
  const found = groups(members);
  replace($("groups"), found.map((group) => tiles(group, views)));
}

function card(view, at, many, members) {
  const letter = many > 1 ? h("b", { class: "letter" }, view.letter) : "";
  if (view.error) {
    return h("article", { class: "view gone" }, h("h2", {}, letter, view.ask), h("p", { class: "trouble" }, view.error));
  }
  const counts = STATES.map((state) => [state, members.filter((member) => member.states[at] === state).length]);
  const standing = STANDINGS[view.asked.standing];
  return h("article", { class: "view" },
    h("h2", {}, letter, view.asked.name, " ", h("small", {}, view.asked.address)),
    h("ul", { class: "counts" }, [...counts].reverse().filter(([state, number]) => number || state === "alive").map(([state, number]) =>
      h("li", { class: state }, h("b", {}, String(number)), " ", WORDS[state]))),
    standing ? h("p", { class: "trouble" }, `${view.asked.name} ${standing}.`) : "");
}

function tiles(group, views) {
  const [first] = group;
  return h("section", { class: first.differs ? "group differs" : "group" },
    h("h3", {}, badges(first.states, views), h("small", {}, count(group.length, "member"))),
    h("div", { class: "tiles" }, group.map((member) => h("button", {
      type: "button", class: "tile", "data-why": member.name, title: `${member.name}: ${member.states.filter(Boolean).map((state) => WORDS[state]).join(" / ")}`,
      "aria-label": member.name, tabindex: "-1",
    }, member.states.filter(Boolean).map((state) => h("i", { class: state }))))));
}
