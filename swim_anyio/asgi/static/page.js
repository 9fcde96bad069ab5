// The page: asks for the members when something has happened, and now and then for the rest.

import { $, h, replace } from "./dom.js";
import { setUpList, showList, step } from "./list.js";
import { merge } from "./merge.js";
import { showOverview } from "./overview.js";
import { openRings } from "./rings.js";
import { noteEvent, setUpTimeline, showTimeline } from "./timeline.js";
import { openWhy } from "./why.js";

const NOW_AND_THEN = 5e3; // ms: ages run on here, so only round trips and the like get old
const SOON = 250; // ms: many events come at once

let seen = null, behind = 0, trouble = "", waiting = 0, asking = false, connected = false;
const now = () => Date.now() / 1e3 - behind; // on the clock of who answers

async function ask() {
  if (asking) return;
  asking = true;
  try {
    const answer = await fetch("members");
    if (!answer.ok) throw new Error((await answer.text()).trim());
    const told = await answer.json();
    behind = Date.now() / 1e3 - told.t;
    seen = merge(told);
    trouble = "";
  } catch (error) {
    trouble = error instanceof TypeError ? "There is no answer; what is shown is the last that was." : error.message;
  }
  asking = false;
  show();
}

function show() {
  replace($("notices"), trouble ? h("p", { class: "notice" }, trouble) : "");
  $("link").textContent = trouble ? "no answer" : connected ? "live" : "connecting";
  $("link").className = trouble || !connected ? "off" : "on";
  document.body.classList.toggle("stale", Boolean(trouble));
  if (seen) {
    const named = seen.views.map((view) => view.asked?.name ?? view.ask);
    $("title").textContent = named.join(" and ");
    const differ = seen.members.filter((member) => member.differs).length;
    const dead = seen.members.filter((member) => member.states.includes("dead")).length;
    document.title = `${differ ? `${differ} differ, ` : dead ? `${dead} dead, ` : ""}${named.join(" and ")} – swim`;
    if (differ) $("notices").append(h("p", { class: "notice" }, `They differ on ${differ === 1 ? "one member" : `${differ} members`}: one side holds ${differ === 1 ? "it" : "them"} to be live, and the other doesn't.`));
    showOverview(seen);
    showList(seen, now());
  }
  showTimeline(now());
}

function soon() {
  clearTimeout(waiting);
  waiting = setTimeout(ask, SOON);
}

function follow() {
  const events = new EventSource("events");
  events.onopen = () => { connected = true; show(); };
  events.onerror = () => { connected = false; show(); };
  events.onmessage = (message) => {
    noteEvent(JSON.parse(message.data), message.lastEventId);
    soon();
  };
}

function route() {
  const name = location.hash.startsWith("#why/") ? decodeURIComponent(location.hash.slice(5)) : null;
  if (name) openWhy(name);
  else if (location.hash === "#rings" && seen) openRings(seen.members);
}

function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const typing = event.target.matches("input, select");
  if (event.key === "Escape") { $("filter").value = ""; $("filter").blur(); show(); }
  else if (event.key === "ArrowDown" || (!typing && event.key === "j")) step(1);
  else if (event.key === "ArrowUp" || (!typing && event.key === "k")) step(-1);
  else if (typing) return;
  else if (event.key === "/") $("filter").focus();
  else if (event.key === "r") location.hash = "#rings";
  else if (event.key === "?") $("help").showModal();
  else return;
  event.preventDefault();
}

setUpList(show);
setUpTimeline(show);
document.addEventListener("keydown", key);
document.addEventListener("click", (event) => {
  const name = event.target.closest?.("[data-why]")?.dataset.why;
  if (name) location.hash = `#why/${encodeURIComponent(name)}`;
  if (event.target.matches?.("dialog")) event.target.close(); // beside it
});
$("rings-button").addEventListener("click", () => { location.hash = "#rings"; });
$("help-button").addEventListener("click", () => $("help").showModal());
for (const dialog of [$("why"), $("rings")]) dialog.addEventListener("close", () => history.replaceState(null, "", location.pathname));
window.addEventListener("hashchange", route);
setInterval(() => { if (!document.hidden) ask(); }, NOW_AND_THEN);
document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
follow();
ask().then(route);
