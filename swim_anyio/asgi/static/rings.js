// The rings as a map: the live members around one of them, and whom each passes news on to.

import { $, h, natural, replace, s } from "./dom.js";

const LABELLED = 40; // so many names fit around the circle

let rings = [], laid = 0, chosen = null, states = new Map();

export async function openRings(members) {
  states = new Map(members.map((member) => [member.name, member.states.find(Boolean) ?? member.worst]));
  const dialog = $("rings");
  replace($("rings-body"), h("p", { class: "empty" }, "asking"));
  if (!dialog.open) dialog.showModal();
  try {
    const answer = await fetch("rings");
    if (!answer.ok) throw new Error((await answer.text()).trim());
    const told = await answer.json();
    rings = told.rings;
    if (!rings[0]?.includes(chosen)) chosen = rings[0]?.includes(told.asked.name) ? told.asked.name : rings[0]?.[0];
  } catch (error) {
    replace($("rings-body"), h("p", { class: "trouble" }, error.message));
    return;
  }
  draw();
}

const next = (ring, name) => ring[(ring.indexOf(name) + 1) % ring.length];

function draw() {
  if (!rings.length) {
    replace($("rings-body"), h("p", { class: "empty" }, "This protocol has no rings."));
    return;
  }
  const narrow = innerWidth < 640; // drawn anew, since letters would get too small
  const SIZE = narrow ? 330 : 640, RADIUS = narrow ? 100 : 236, MIDDLE = SIZE / 2, BESIDE = narrow ? 20 : 70;
  const order = rings[laid];
  const place = new Map(order.map((name, at) => [name, (at / order.length) * 2 * Math.PI - Math.PI / 2]));
  const x = (name, radius = RADIUS) => MIDDLE + radius * Math.cos(place.get(name));
  const y = (name, radius = RADIUS) => MIDDLE + radius * Math.sin(place.get(name));
  const dot = Math.min(9, Math.max(3.5, (RADIUS * 2.4) / order.length));
  const targets = [...new Set(rings.map((ring) => next(ring, chosen)))];
  const chords = rings.map((ring, number) => {
    const to = next(ring, chosen);
    return s("path", { class: `chord ring-${number}`, d: `M${x(chosen)} ${y(chosen)}Q${MIDDLE} ${MIDDLE} ${x(to)} ${y(to)}` });
  });
  const dots = order.map((name) => s("g", { class: `node ${states.get(name) ?? "alive"}${name === chosen ? " chosen" : ""}`, "data-ring": name },
    s("title", {}, name), s("circle", { cx: x(name), cy: y(name), r: name === chosen ? dot + 3 : dot })));
  const named = order.length <= (narrow ? LABELLED / 2 : LABELLED) ? order : [chosen, ...targets];
  const labels = named.map((name) => {
    const left = Math.cos(place.get(name)) < -0.05, centre = Math.abs(Math.cos(place.get(name))) <= 0.05;
    return s("text", { x: x(name, RADIUS + 16), y: y(name, RADIUS + 16) + 4, "text-anchor": centre ? "middle" : left ? "end" : "start", class: name === chosen ? "chosen" : null }, name);
  });
  const focus = document.activeElement?.id;
  replace($("rings-body"),
    h("div", { class: "bar" }, rings.map((_, number) => h("button", { type: "button", id: `ring-${number}`, "aria-pressed": String(number === laid), onclick: () => { laid = number; draw(); } }, `Ring ${number + 1}`)),
      h("label", {}, "from ", h("select", { id: "ring-from", onchange: (event) => { chosen = event.target.value; draw(); } },
        [...order].sort(natural).map((name) => h("option", { selected: name === chosen }, name))))),
    s("svg", { class: "map", viewBox: `${-BESIDE} 0 ${SIZE + 2 * BESIDE} ${SIZE}`, role: "img", "aria-label": `Ring ${laid + 1}; ${chosen} passes news on to ${targets.join(", ")}`, onclick: (event) => {
      const name = event.target.closest("[data-ring]")?.dataset.ring;
      if (name) { chosen = name; draw(); }
    } }, s("circle", { class: "ring", cx: MIDDLE, cy: MIDDLE, r: RADIUS }), ...chords, ...dots, ...labels),
    h("p", {}, `${chosen} passes news on to the next live member on each ring: ${rings.map((ring) => next(ring, chosen)).join(", ")}.`));
  if (focus) $(focus)?.focus();
}
