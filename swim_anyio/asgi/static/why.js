// Why a member is seen as it is: a lane for each observer, a numbered mark for each thing that was seen.

import { $, ago, clock, h, precise, replace, s, span } from "./dom.js";
import { STANDINGS, because } from "./words.js";

const PAUSE = 10; // seconds in which nothing was seen: what comes after is another story
const LANE = 44, TOP = 14, RIGHT = 18;
const SEEN_AS = { alive: "alive", suspect: "suspect", dead: "dead", left: "having left" };

let asked = null;

export async function openWhy(name) {
  asked = name;
  const dialog = $("why");
  $("why-title").textContent = name;
  replace($("why-body"), h("p", { class: "empty" }, "asking"));
  if (!dialog.open) dialog.showModal();
  let answers;
  try {
    const answer = await fetch(`why/${encodeURIComponent(name)}`);
    if (!answer.ok) throw new Error((await answer.text()).trim());
    const told = await answer.json();
    answers = told.views ?? [told];
  } catch (error) {
    answers = [{ error: error.message }];
  }
  if (asked !== name) return;
  replace($("why-body"), answers.map((told) => h("section", {}, account(told))));
  if (dialog.scrollTo) dialog.scrollTo(0, 0);
}

function account(told) {
  if (told.error) return h("p", { class: "trouble" }, `${told.ask ? `${told.ask}: ` : ""}${told.error}`);
  const { member, asked: teller, observations } = told;
  const verdict = told.at !== undefined;
  const reason = because(member.rule);
  const standing = STANDINGS[teller.standing];
  const latest = story(observations);
  return [
    h("p", { class: "said" }, `${teller.name} sees ${member.name} as `, h("span", { class: `seen ${member.state}` }, SEEN_AS[member.state]), reason ? `: ${reason}.` : "."),
    verdict
      ? h("p", {}, `Said by ${member.accuser} at ${precise(told.at)}, ${ago(told.t - told.at)} before this page asked.`)
      : h("p", {}, contact(member, teller)),
    standing ? h("p", { class: "trouble" }, `${teller.name} ${standing}.`) : "",
    latest.length ? lanes(latest, verdict ? told.at : null, member) : h("p", { class: "empty" }, verdict ? "It observed nothing itself." : "Nothing speaks against it."),
    latest.length ? legend(latest) : "",
    latest.length < observations.length ? h("details", {}, h("summary", {}, `${observations.length - latest.length} earlier observations`),
      legend(observations.slice(0, -latest.length))) : "",
    verdict && member.accuser && ![member.name, teller.name].includes(member.accuser)
      ? h("p", {}, `${teller.name} only heard of this. ${member.accuser} was there`, told.accuser_address ? h("span", {}, ": ", h("code", {}, `swim why --join ${told.accuser_address} ${member.name}`)) : ".") : "",
  ];
}

function contact(member, teller) {
  if (member.name === teller.name) return "This is the member that was asked.";
  const heard = member.heard === null ? "has not heard it directly yet" : `last heard it ${ago(member.heard)} ago`;
  const trip = member.round_trip === null ? "" : `; its latest ping was answered in ${span(member.round_trip)}`;
  const doubts = member.unanswered > 1 ? `; the last ${member.unanswered} pings were not answered` : "";
  return `${teller.name} ${heard}${trip}${doubts}.`;
}

function story(observations) {
  let from = 0;
  observations.forEach((seen, at) => {
    const before = observations[at - 1];
    if (at && seen.t - Math.max(before.t, before.last ?? 0) > PAUSE) from = at;
  });
  return observations.slice(from);
}

const tone = (what) => (/dead|gone|refused|lost/.test(what) ? "dead" : /suspect|timed out|silent|unanswered/.test(what) ? "suspect" : /alive|reach|answer|ack|connected/.test(what) ? "alive" : "note");

function lanes(seen, at, member) {
  const narrow = innerWidth < 640; // drawn anew, since letters would get too small
  const WIDTH = narrow ? 340 : 640, LEFT = narrow ? 66 : 116, NAME = narrow ? 9 : 15;
  const observers = [...new Set(seen.map(({ observer }) => observer))];
  const from = seen[0].t;
  const until = Math.max(...seen.map(({ t, last }) => last ?? t), at ?? from);
  const long = Math.max(until - from, 0.002);
  const x = (t) => LEFT + 14 + ((t - from) / long) * (WIDTH - LEFT - RIGHT - 28);
  const bottom = TOP + observers.length * LANE;
  const parts = [];
  for (const [number, observer] of observers.entries()) {
    const y = TOP + number * LANE + LANE / 2;
    parts.push(s("path", { class: "lane", d: `M${LEFT} ${y}H${WIDTH - RIGHT}` }),
      s("text", { x: 0, y: y + 4, class: "observer" }, observer.length > NAME ? `${observer.slice(0, NAME - 1)}…` : observer, s("title", {}, observer)));
  }
  for (const tick of ticks(long, narrow ? 4 : 6)) {
    parts.push(s("path", { class: "grid", d: `M${x(from + tick)} ${TOP}V${bottom}` }), s("text", { x: x(from + tick), y: bottom + 15, class: "tick" }, long < 1 ? `${+(tick * 1e3).toFixed(1)} ms` : `${+tick.toFixed(2)} s`));
  }
  if (at !== null && at >= from) parts.push(s("path", { class: `verdict ${member.state}`, d: `M${x(at)} ${TOP - 6}V${bottom}` }, s("title", {}, `the verdict, at ${precise(at)}`)));
  const taken = new Map(); // of each lane, up to where it is drawn: marks that would overlap are moved apart
  seen.forEach((note, index) => {
    const lane = observers.indexOf(note.observer);
    const px = Math.max(x(note.t), (taken.get(lane) ?? 0) + 17);
    taken.set(lane, px);
    const y = TOP + lane * LANE + LANE / 2;
    const title = s("title", {}, `${note.what}${note.detail ? `: ${note.detail}` : ""}`);
    if (note.last) parts.push(s("path", { class: `during ${tone(note.what)}`, d: `M${px} ${y}H${Math.max(px, x(note.last))}` }));
    parts.push(s("g", { class: `mark ${tone(note.what)}` }, title, s("circle", { cx: px, cy: y, r: 8 }), s("text", { x: px, y: y + 3.5 }, String(index + 1))));
  });
  return s("svg", { class: "lanes", viewBox: `0 0 ${WIDTH} ${bottom + 22}`, role: "img", "aria-label": `What ${observers.length} members saw of ${member.name}, in ${long.toFixed(1)} s; the list below says the same` }, ...parts);
}

function ticks(long, most) {
  const step = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120, 300, 600].find((size) => long / size <= most) ?? 3600;
  return Array.from({ length: Math.floor(long / step) + 1 }, (_, number) => number * step);
}

function legend(seen) {
  const from = seen[0].t;
  return h("ol", { class: "notes" }, seen.map((note) => h("li", { class: tone(note.what) },
    h("time", { title: precise(note.t) }, `${clock(note.t)} +${(note.t - from).toFixed(3)}`), h("b", {}, note.observer), h("span", {}, note.what,
      note.detail ? h("small", {}, note.detail) : "", note.count > 1 ? h("small", {}, `${note.count} times, last at +${(note.last - from).toFixed(3)}`) : ""))));
}
