// What happened, newest first; many of a kind at once are one line that opens.

import { $, clock, count, day, h, names, natural, replace, s } from "./dom.js";
import { TONES, because } from "./words.js";

const TOGETHER = 3; // seconds between two events of one kind that are told together
const FEW = 2; // so many are told one by one
const KEPT = 2000;
const BINS = 60;
const SHORTEST = 600; // seconds that the strip covers at least

const events = new Map();
const opened = new Set();
let shown = 40;

export function noteEvent(event, id) {
  events.set(event.key ?? id, event);
  if (events.size > KEPT) events.delete(events.keys().next().value);
}

export function setUpTimeline(changed) {
  $("more").addEventListener("click", () => { shown += 100; changed(); });
  $("timeline").addEventListener("toggle", (toggled) => {
    const key = toggled.target.dataset.key;
    if (toggled.target.open) opened.add(key); else opened.delete(key);
  }, true);
}

export function showTimeline(now) {
  const all = [...events.values()].sort((one, other) => other.t - one.t);
  const bursts = together(all);
  let today = day(now);
  const lines = [];
  for (const burst of bursts.slice(0, shown)) {
    const on = day(burst[0].t);
    if (on !== today) lines.push(h("li", { class: "day" }, on));
    today = on;
    lines.push(burst.length > FEW ? several(burst) : burst.map((event) => h("li", {}, one(event))));
  }
  replace($("timeline"), lines.length ? lines.flat() : [h("li", { class: "empty" }, "Nothing that is remembered here.")]);
  $("more").hidden = bursts.length <= shown;
  strip(all, now);
}

function together(all) {
  const bursts = [];
  const latest = new Map(); // of each kind, as the same members tell of it
  for (const event of all) {
    const kind = `${event.event} ${event.rule} ${event.seen_by} ${event.missed_by}`;
    const burst = latest.get(kind);
    if (burst && burst.at(-1).t - event.t <= TOGETHER) burst.push(event);
    else latest.set(kind, bursts[bursts.push([event]) - 1]);
  }
  return bursts.flatMap((burst) => (burst.length > FEW ? [burst] : burst.map((event) => [event])))
    .sort((one, other) => other[0].t - one[0].t);
}

const badge = (event) => h("span", { class: `seen ${TONES[event.event] ?? "note"}` }, event.event);
const time = (event) => h("time", { datetime: new Date(event.t * 1e3).toISOString() }, clock(event.t));

function one(event) {
  const reason = because(event.rule);
  return [time(event), badge(event), h("div", {}, h("button", { type: "button", "data-why": event.member }, event.member),
    reason ? h("small", {}, `${reason}${event.accuser ? `, says ${event.accuser}` : ""}`) : "", missed(event))];
}

const missed = (event) => (event.missed_by?.length ? h("span", { class: "doubt" }, `unknown to ${names(event.missed_by)}`) : "");

function several(burst) {
  const [event] = burst;
  const key = `${event.event} ${burst.at(-1).t}`;
  const who = [...new Set(burst.map(({ member }) => member))].sort(natural);
  return h("li", {}, h("details", { "data-key": key, open: opened.has(key) },
    h("summary", {}, time(burst.at(-1)), badge(event), h("div", {}, h("b", {}, count(who.length, "member")),
      h("small", {}, names(who)), because(event.rule) ? h("small", {}, because(event.rule)) : "", missed(event))),
    h("ol", {}, burst.map((each) => h("li", {}, one(each))))));
}

// How much happened when, from the first event to now.
function strip(all, now) {
  const from = Math.min(now - SHORTEST, all.length ? all.at(-1).t : now);
  const bins = Array.from({ length: BINS }, () => ({}));
  for (const event of all) {
    const bin = bins[Math.min(BINS - 1, Math.floor(((event.t - from) / (now - from)) * BINS))];
    const tone = TONES[event.event] ?? "note";
    if (bin) bin[tone] = (bin[tone] ?? 0) + 1;
  }
  const height = (number) => (number ? 4 + 6 * Math.log2(number) : 0); // one death must show beside a hundred
  const bars = bins.flatMap((bin, at) => {
    let y = 47;
    return ["dead", "suspect", "left", "alive", "note"].filter((tone) => bin[tone]).map((tone) => {
      const tall = Math.min(height(bin[tone]), Math.max(0, y - 1));
      y -= tall;
      return s("rect", { class: tone, x: at * 8 + 1, y, width: 6, height: tall });
    });
  });
  const element = $("strip");
  element.setAttribute("viewBox", "0 0 480 64");
  replace(element, ...bars, s("path", { d: "M0 47.5H480", class: "axis" }),
    s("text", { x: 0, y: 61 }, `${day(from) === day(now) ? "" : `${day(from)} `}${clock(from).slice(0, 5)}`),
    s("text", { x: 480, y: 61, "text-anchor": "end" }, "now"));
}
