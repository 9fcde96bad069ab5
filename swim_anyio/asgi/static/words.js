// What states, rules and standings are called, for people.

import { h } from "./dom.js";

export const STATES = ["suspect", "dead", "left", "alive", "unknown"]; // what needs a look comes first
export const LIVE = new Set(["alive", "suspect"]);

export const RULES = {
  suspicion: "no answer for half the stall tolerance",
  gone: "process ended without a goodbye",
  silent: "no answer for the stall tolerance",
  host_gone: "host unreachable",
  left: "said goodbye",
  restarted: "replaced by a newer run of the same name",
  removed: "removed by an operator, after it had died",
  isolated: "the observer hears nobody, so it counts everybody as dead",
};

export const STANDINGS = {
  deaf: "hears nobody at the moment, so this may be out of date",
  isolated: "has heard nobody for the stall tolerance: it is probably cut off itself, and this out of date",
  superseded: "stays silent because another live process owns its name",
  unanswered: "is alone: none of its seeds has answered",
  left: "has left the cluster, so this is getting out of date",
};

// States of one member in several views, each with the letter of its view, unless all say the same.
export function badges(states, views) {
  const told = states.flatMap((state, at) => (state ? [[state, views[at].letter]] : []));
  const same = told.every(([state]) => state === told[0][0]);
  return (same ? told.slice(0, 1) : told).map(([state, letter]) =>
    h("span", { class: `seen ${state}` }, same ? "" : h("b", { class: "letter" }, letter), state === "unknown" ? "not known" : state));
}

// The colour of an event.
export const TONES = {
  joined: "alive", recovered: "alive", reconnected: "alive", suspect: "suspect", isolated: "suspect",
  dead: "dead", left: "left", updated: "note",
};

export const because = (rule) => (rule && rule !== "left" ? (RULES[rule] ?? rule.replaceAll("_", " ")) : "");
