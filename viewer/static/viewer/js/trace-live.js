// While a trace runs the server says when it changed; the tree and the pane of a running run are fetched anew and morphed.
import { left, loadPane, loadTree, onTree, say } from "./pane.js";
import { Stream } from "./stream.js";

const BETWEEN_MS = 400; // at most one refresh in this time, and at most a fifth of the reader's machine for a long trace
const ANYWAY_MS = 10_000; // bars of running work grow, and silence is noticed
let isBusy = false, hasNews = false, refreshedAt = 0, pause = BETWEEN_MS, follows = !new URLSearchParams(location.search).has("run");

const isRunning = () => left().dataset.status === "running";
const heard = () => document.querySelector("[data-heard]");

async function refresh() {
  hasNews = false;
  const began = performance.now();
  const paneRuns = ["running", "incomplete"].includes(document.getElementById("run-pane").dataset.status);
  await loadTree(location.href);
  if (paneRuns) await loadPane(location.href, { keeps: true });
  refreshedAt = performance.now();
  pause = Math.max(BETWEEN_MS, (refreshedAt - began) * 4);
  isBusy = false;
  if (!isRunning()) { stream.update(); say("The trace has ended"); }
  else if (hasNews) schedule();
}
function schedule() {
  hasNews = true;
  if (isBusy) return;
  isBusy = true;
  setTimeout(refresh, Math.max(0, pause - (performance.now() - refreshedAt)));
}
const stream = new Stream(() => (isRunning() ? left().dataset.stream : ""), { changed: schedule }, (state) => {
  if (state === "on") schedule();
  else if (state !== "off" && heard()) heard().textContent = "Paused, reconnecting";
});
setInterval(() => document.hidden || !isRunning() || schedule(), ANYWAY_MS);

// The newest run stays in view until the reader takes over.
for (const kind of ["wheel", "pointerdown", "keydown", "touchstart"]) document.addEventListener(kind, () => { follows = false; }, { passive: true });
onTree(() => {
  if (follows) [...document.querySelectorAll('#tree > [data-status="running"]')].at(-1)?.scrollIntoView({ block: "nearest" });
});
