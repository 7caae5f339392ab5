// Keeps the trace list live. A stream says which traces changed; the page then asks for itself again and takes over the
// answer: rows that are shown change where they stand, figures follow, and what is new goes to new-rows.js.
import "./grow.js";
import { onKey } from "./keys.js";
import { drop, hold, letIn, rowsOf, shownRows } from "./new-rows.js";
import { Stream } from "./stream.js";

const REFRESH_MS = 500; // between two refreshes
const QUIET_MS = 20000; // running rows are looked at this often though nothing was heard: they may have fallen silent
const SETTLE_MS = 6000; // after the last news: by then the server has counted anew (viewer/views/overviews.py)
const PAGE_SIZE = 50, MAX_AGAIN = 20; // as the server has them
const WORDS = { on: "Live", off: "Paused", waiting: "Paused, reconnecting", lost: "Not live, reload" };

const list = () => document.getElementById("trace-list");
const morph = (old, fresh) => old && fresh && Idiomorph.morph(old, fresh);
const changed = new Set();
let timer = 0, settling = 0, refreshedAt = -REFRESH_MS;

const stream = new Stream(() => (list().hasAttribute("data-deep") ? "" : list().dataset.stream), {
  traces(data) {
    for (const id of JSON.parse(data)) changed.add(id);
    refreshSoon();
    clearTimeout(settling);
    settling = setTimeout(refreshSoon, SETTLE_MS);
  },
}, (state) => { show(state); if (state === "on") refreshSoon(); });

function show(state) {
  const button = document.querySelector("[data-live-switch]");
  if (!button) return;
  button.hidden = false;
  button.dataset.state = state;
  button.setAttribute("aria-pressed", state === "on");
  button.querySelector("[data-live-word]").textContent = WORDS[state];
}

function refreshSoon() {
  timer ||= setTimeout(refresh, Math.max(0, refreshedAt + REFRESH_MS - performance.now()));
}
async function refresh() {
  timer = 0;
  refreshedAt = performance.now();
  if (stream.state === "off") return;
  const here = location.href, url = new URL(here);
  for (const id of changedBelow().slice(0, MAX_AGAIN)) url.searchParams.append("again", id);
  changed.clear();
  const headers = { "HX-Request": "true", "HX-Target": "trace-list", "HX-Current-URL": here };
  const response = await fetch(url, { headers }).catch(() => null); // away: the stream will say when it is back
  if (response?.status === 401) location.reload();
  const text = response?.ok && !response.redirected ? await response.text().catch(() => "") : "";
  if (!text || here !== location.href) return; // asked last: the reader may have gone on while it came
  take(new DOMParser().parseFromString(text, "text/html"));
}
// The first page comes with the answer; rows below it must be asked for by id.
function changedBelow() {
  const below = new Set(rowsOf(shownRows()).slice(PAGE_SIZE).map((row) => row.id));
  return [...changed].filter((id) => below.has(`trace-${id}`));
}

function take(fresh) {
  for (const id of ["rail", "totals", "histogram", "loaded-of"]) morph(document.getElementById(id), fresh.getElementById(id));
  if (!fresh.getElementById("run-rows")) return show(stream.state);
  if (!shownRows()) {
    morph(list(), fresh.getElementById("trace-list")); // it was empty
    htmx.process(list());
    return show(stream.state);
  }
  for (const row of [...rowsOf(fresh.getElementById("run-rows")), ...rowsOf(fresh.getElementById("run-rows-again"))])
    morph(document.getElementById(row.id), row.cloneNode(true));
  hold(fresh);
  show(stream.state);
}

function toggle() {
  if (stream.state === "lost") return location.reload();
  stream.isPaused = !stream.isPaused;
  stream.update();
}
onKey("l", () => letIn() || toggle());
document.addEventListener("click", (event) => event.target.closest("[data-live-switch]") && toggle());
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id !== "trace-list") return;
  drop();
  stream.update();
  show(stream.state);
});
setInterval(() => document.querySelector("[data-running]") && refreshSoon(), QUIET_MS);
