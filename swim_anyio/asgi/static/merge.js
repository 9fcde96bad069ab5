// The views of one or several members as one list, and where they differ.

import { natural } from "./dom.js";
import { LIVE, STATES } from "./words.js";

// views: each with its letter, whose it is, or the error; members: each with a row per view (null: not known there).
export function merge(data) {
  const views = (data.views ?? [data]).map((view, at) => ({ ...view, letter: String.fromCharCode(65 + at) }));
  const members = new Map();
  views.forEach((view, at) => {
    for (const row of view.members ?? []) {
      if (!members.has(row.name)) members.set(row.name, { name: row.name, rows: views.map(() => null) });
      members.get(row.name).rows[at] = row;
    }
  });
  const asked = views.map((view) => !view.error);
  for (const member of members.values()) {
    const known = member.rows.filter(Boolean);
    const newest = known.reduce((one, other) => (newer(other, one) ? other : one));
    member.states = member.rows.map((row, at) => (asked[at] ? (row ? row.state : "unknown") : null));
    const live = member.states.filter(Boolean).map((state) => LIVE.has(state));
    member.differs = live.some(Boolean) && !live.every(Boolean);
    member.worst = STATES.find((state) => member.states.includes(state));
    member.row = newest;
    member.own = views.findIndex((view) => view.asked?.name === member.name);
    member.key = member.states.join(" ");
  }
  return { views, t: data.t, members: [...members.values()].sort(byTrouble) };
}

const newer = (row, than) => row.epoch > than.epoch || (row.epoch === than.epoch && row.incarnation > than.incarnation);

export const byTrouble = (one, other) =>
  other.differs - one.differs || STATES.indexOf(one.worst) - STATES.indexOf(other.worst) || natural(one.name, other.name);

// Members that are seen alike, those that need a look first: a partition shows as two groups that mirror each other.
export function groups(members) {
  const found = new Map();
  for (const member of members) {
    if (!found.has(member.key)) found.set(member.key, []);
    found.get(member.key).push(member);
  }
  return [...found.values()];
}

export function fits(member, text) {
  const [key, value] = text.split("=", 2);
  if (value !== undefined && key) {
    const own = member.row.metadata?.[key];
    return own !== undefined && own.toLowerCase().includes(value);
  }
  if (text === "differs") return member.differs;
  if (STATES.includes(text)) return member.states.includes(text);
  return member.name.toLowerCase().includes(text) || member.row.address.includes(text);
}
