
// A run of the simulator: members on a circle, datagrams between them, and what each believes of the subject.

const run = JSON.parse($("run").textContent);
const SIZE = 640, MIDDLE = SIZE / 2, RADIUS = 258;
const SHORTEST = 0.004; // seconds that a lost datagram is seen for
const many = run.names.length;
const dot = Math.min(10, Math.max(3, (RADIUS * 2.2) / many));
const place = run.names.map((_, at) => (at / many) * 2 * Math.PI - Math.PI / 2);
const x = (at, radius = RADIUS) => MIDDLE + radius * Math.cos(place[at]);
const y = (at, radius = RADIUS) => MIDDLE + radius * Math.sin(place[at]);
const subject = run.names.indexOf(run.told[0]?.[3] ?? run.names[run.stops[0]?.[1] ?? 0]);
const seconds = (t) => (t < 1 ? `${(t * 1e3).toFixed(1)} ms` : `${t.toFixed(3)} s`);

let now = 0, playing = false, before = 0;

$("title").textContent = run.title;
$("network").textContent = run.network;
document.title = `${run.title} – swim simulate`;
$("slider").max = run.seconds;
$("speed").value = ["1", "10", "100", "1000"].find((slower) => run.seconds * slower >= 5) ?? "1000"; // some ten seconds in all
$("key").append(
  ...[["alive", "alive"], ["suspect", "suspect"], ["dead", "dead"]].map(([tone, word]) => h("li", {}, h("span", { class: `seen ${tone}` }, word))),
  h("li", {}, `what each member believes of ${run.names[subject]}, which has an outline; dashes: it has ended or hangs`),
  run.left_out ? h("li", {}, `${run.left_out} later datagrams are left out`) : "");

const events = [...run.told.map(([t, at, word, member]) => [t, word, member === run.names[subject] ? run.names[at] : `${run.names[at]}, of ${member}`]),
  ...run.stops.map(([t, at, word]) => [t, word, run.names[at]])].sort((one, other) => one[0] - other[0]);
const lines = events.map(([t, word, text]) => h("li", {}, h("button", { type: "button", onclick: () => go(t) },
  h("span", {}, seconds(t)), h("span", { class: `seen ${word}` }, word), h("span", {}, text))));
$("told").append(...lines);

const ring = $("ring");
ring.setAttribute("viewBox", `0 0 ${SIZE} ${SIZE}`);
const flights = s("g"), tally = s("text", { class: "tally", x: MIDDLE, y: MIDDLE });
const nodes = run.names.map((name, at) => s("g", {}, s("title", {}, name), s("circle", { cx: x(at), cy: y(at), r: at === subject ? dot + 3 : dot })));
const label = s("text", { x: x(subject, RADIUS + 26), y: y(subject, RADIUS + 26) + 4, "text-anchor": "middle", class: "chosen" }, run.names[subject]);
ring.append(s("circle", { class: "ring", cx: MIDDLE, cy: MIDDLE, r: RADIUS }), flights, ...nodes, label, tally);

function draw() {
  const believed = run.names.map(() => "alive"), down = new Set();
  for (const [t, at, word, member] of run.told) if (t <= now && member === run.names[subject]) believed[at] = word;
  for (const [t, at, word] of run.stops) if (t <= now) { if (word === "goes on") down.delete(at); else down.add(at); }
  nodes.forEach((node, at) => node.setAttribute("class", `node ${believed[at]}${at === subject ? " subject" : ""}${down.has(at) ? " down" : ""}`));
  const shapes = [];
  for (const [sent, arrived, from, to] of run.sent) {
    if (sent > now) break;
    const lost = arrived === null, ends = lost ? sent + SHORTEST : arrived;
    if (now > ends) continue;
    const way = Math.min(1, (now - sent) / Math.max(ends - sent, 1e-6)) * (lost ? 0.5 : 1);
    const cx = x(from) + (x(to) - x(from)) * way, cy = y(from) + (y(to) - y(from)) * way;
    shapes.push(s("path", { class: "flight", d: `M${x(from)} ${y(from)}L${x(to)} ${y(to)}` }), s("circle", { class: lost ? "lost" : "datagram", cx, cy, r: 3.5 }));
  }
  flights.replaceChildren(...shapes);
  const counts = {};
  believed.forEach((word, at) => { if (at !== subject) counts[word] = (counts[word] ?? 0) + 1; });
  tally.textContent = Object.entries(counts).map(([word, number]) => `${number} ${word}`).join(" · ");
  const latest = events.findLastIndex(([t]) => t <= now);
  lines.forEach((line, at) => { line.className = at > latest ? "later" : at === latest ? "now" : ""; });
  $("slider").value = now;
  $("time").textContent = seconds(now);
  ring.setAttribute("aria-label", `At ${seconds(now)}: ${tally.textContent}`);
}

function go(t) {
  now = Math.min(Math.max(t, 0), run.seconds);
  draw();
}

function play(on) {
  playing = on;
  $("play").textContent = on ? "Pause" : "Play";
  before = performance.now();
  if (on && now >= run.seconds) now = 0;
  if (on) requestAnimationFrame(frame);
}

function frame(at) {
  if (!playing) return;
  go(now + Math.max(0, at - before) / 1e3 / Number($("speed").value));
  before = at;
  if (now >= run.seconds) play(false);
  else requestAnimationFrame(frame);
}

$("play").addEventListener("click", () => play(!playing));
$("slider").addEventListener("input", (event) => { play(false); go(Number(event.target.value)); });
document.addEventListener("keydown", (event) => {
  if (event.target.matches("select, input")) return;
  if (event.key === " " && !event.target.matches("button")) play(!playing);
  else if (event.key === "ArrowRight") go(events.find(([t]) => t > now)?.[0] ?? run.seconds);
  else if (event.key === "ArrowLeft") go(events.findLast(([t]) => t < now)?.[0] ?? 0);
  else return;
  event.preventDefault();
});
addEventListener("hashchange", () => go(Number(location.hash.slice(1)) || 0)); // FILE#0.0042 begins at that second
go(Number(location.hash.slice(1)) || 0);
