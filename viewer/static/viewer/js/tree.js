// Keys and presses on the tree: arrows walk and fold, a press shows a run, E and S go to the next error and the next slow run.
import { onKey } from "./keys.js";
import { loadPane, loadTree, rowOf, runUrl, say, treeUrl } from "./pane.js";
import { current, focus, fold, foldAll, isFolded, isRun, level, makeCurrent, parentOf, reveal, rows, select, shown, tree } from "./rows.js";

const LOAD_AFTER_MS = 120; // an arrow held down loads the run on which it stops
let timer;

export function show(row, history) {
  reveal(row);
  focus(row);
  clearTimeout(timer);
  if (!isRun(row)) return;
  select(row);
  if (history === "push") loadPane(runUrl(row.id.slice(2)), { history });
  else timer = setTimeout(() => loadPane(runUrl(row.id.slice(2)), { history }), LOAD_AFTER_MS);
}

const toggle = (row) => loadTree(treeUrl(row.href), { history: "replace" }).then(() => focus(document.getElementById(row.id) ?? current()));

const lines = () => [...document.querySelectorAll(".log-row")];
function markLines(runId) {
  for (const line of lines()) line.dataset.run === runId ? line.setAttribute("aria-current", "true") : line.removeAttribute("aria-current");
}
function goNextLine(wanted) {
  const all = lines(), list = all.filter((line) => line.matches(wanted)), at = all.indexOf(document.activeElement);
  const next = list.find((line) => all.indexOf(line) > at) ?? list[0];
  next?.focus();
  next?.click();
  return next;
}

function goNext(kind) {
  const wanted = kind === "error" ? '[data-status="error"]' : "[data-slow]";
  if (goNextLine(wanted)) return;
  const list = rows().filter((row) => row.matches(wanted));
  if (!list.length) return say(kind === "error" ? "No row with an error" : "No slow run");
  const at = current();
  show(list.find((row) => at.compareDocumentPosition(row) & Node.DOCUMENT_POSITION_FOLLOWING) ?? list[0], "replace");
}

onKey("e", () => goNext("error")); // their controls name these keys too, but a narrow pane has no room for all controls
onKey("s", () => goNext("slow"));

const isPlain = (event) => event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
document.addEventListener("click", (event) => {
  const next = event.target.closest("[data-next]"), all = event.target.closest("[data-fold-all]"), row = event.target.closest("#tree > .tree-row");
  if (!isPlain(event) || !(next || all || row)) return;
  event.preventDefault();
  if (next) return goNext(next.dataset.next);
  if (all) return foldAll();
  if (!isRun(row)) return toggle(row);
  if (event.target.closest(".twist:not([data-leaf])")) return fold(row, !isFolded(row));
  show(row, "push");
});

const KEYS = {
  ArrowDown: (row, list) => list[list.indexOf(row) + 1],
  ArrowUp: (row, list) => list[list.indexOf(row) - 1],
  Home: (_, list) => list[0],
  End: (_, list) => list.at(-1),
  ArrowRight: (row, list) => {
    if (row.getAttribute("aria-expanded") === "false") return void (isRun(row) ? fold(row, false) : toggle(row));
    const below = list[list.indexOf(row) + 1];
    return below && level(below) > level(row) ? below : undefined;
  },
  ArrowLeft: (row, list) => {
    if (row.getAttribute("aria-expanded") === "true") return void (isRun(row) ? fold(row, true) : toggle(row));
    return parentOf(row, list);
  },
};
document.addEventListener("keydown", (event) => {
  const inTree = event.target.closest?.("#tree"), onPage = event.target === document.body || event.target.id === "main";
  if (!(inTree || onPage) || !KEYS[event.key] || event.altKey || event.ctrlKey || event.metaKey || document.querySelector("dialog:modal") || !current()) return;
  event.preventDefault();
  const goal = KEYS[event.key](current(), shown());
  if (goal) show(goal, "replace");
});

// A link in the pane, or Back, chose the run: the tree marks its row, and fetches it if it is folded away.
document.addEventListener("run-chosen", async ({ detail: { runId, leads } }) => {
  if (!runId) return;
  markLines(runId);
  if (!document.getElementById("tree")) return;
  if (!rowOf(runId)) await loadTree(location.href);
  const row = rowOf(runId);
  if (!row) return;
  reveal(row);
  select(row);
  leads ? focus(row) : makeCurrent(row);
});

const chosen = tree().querySelector('[aria-selected="true"]');
const scroller = document.getElementById("tree-scroll"); // not scrollIntoView: on a narrow screen that would move the page too
if (chosen) scroller.scrollTop = chosen.offsetTop - scroller.clientHeight / 2;
