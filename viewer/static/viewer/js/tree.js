// The tree is flat: what belongs to a row follows it with a higher aria-level. Arrow keys, folding, next error, next slow.
import { left, loadPane, loadTree, onTree, rowOf, say } from "./pane.js";

const LOAD_AFTER_MS = 120; // an arrow held down loads the run on which it stops
const folded = new Set(); // ids of rows: the reader's folds outlive a morph
let timer;

const tree = () => document.getElementById("tree");
const rows = () => [...tree().children];
const shown = () => rows().filter((row) => !row.hidden);
const level = (row) => Number(row.getAttribute("aria-level"));
const isRun = (row) => row.id.startsWith("r-");
const current = () => tree().querySelector('[tabindex="0"]') ?? tree().firstElementChild;
const parentOf = (row, list) => list.slice(0, list.indexOf(row)).findLast((other) => level(other) < level(row));

function applyFolds() {
  let hiddenBelow = Infinity;
  for (const row of rows()) {
    if (level(row) <= hiddenBelow) hiddenBelow = Infinity;
    if (row.hidden !== level(row) > hiddenBelow) row.hidden = !row.hidden;
    if (!isRun(row) || !row.hasAttribute("aria-expanded")) continue;
    const isOpen = String(!folded.has(row.id));
    if (row.getAttribute("aria-expanded") !== isOpen) row.setAttribute("aria-expanded", isOpen);
    if (isOpen === "false" && !row.hidden) hiddenBelow = level(row);
  }
}

function fold(row, closes) {
  closes ? folded.add(row.id) : folded.delete(row.id);
  applyFolds();
  if (current()?.hidden) focus(row);
}

function reveal(row) {
  const list = rows();
  for (let above = parentOf(row, list); above; above = parentOf(above, list)) folded.delete(above.id);
  applyFolds();
}

function focus(row) {
  for (const other of tree().querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
  row.tabIndex = 0;
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

function select(row) {
  for (const other of tree().querySelectorAll('[aria-selected="true"]')) other.setAttribute("aria-selected", "false");
  row.setAttribute("aria-selected", "true");
}

function urlOf(row) {
  const url = new URL(location.href);
  for (const key of ["input", "output", "messages"]) url.searchParams.delete(key);
  url.searchParams.delete("tab"); // the run comes last, as the server writes it, and the tab stays
  const tab = new URL(location.href).searchParams.get("tab");
  url.searchParams.delete("run");
  url.searchParams.set("run", row.id.slice(2));
  if (tab) url.searchParams.set("tab", tab);
  return url.href;
}

function show(row, history) {
  reveal(row);
  focus(row);
  clearTimeout(timer);
  if (!isRun(row)) return;
  select(row);
  if (history === "push") loadPane(urlOf(row), { history });
  else timer = setTimeout(() => loadPane(urlOf(row), { history }), LOAD_AFTER_MS);
}

const toggle = (row) => loadTree(row.href, { history: "replace" }).then(() => focus(document.getElementById(row.id) ?? current()));

function goNext(kind) {
  const wanted = kind === "error" ? '[data-status="error"]' : "[data-slow]";
  const list = rows().filter((row) => row.matches(wanted));
  if (!list.length) return say(kind === "error" ? "No row with an error" : "No slow run");
  const at = current();
  show(list.find((row) => at.compareDocumentPosition(row) & Node.DOCUMENT_POSITION_FOLLOWING) ?? list[0], "replace");
}

const isPlain = (event) => event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
document.addEventListener("click", (event) => {
  const next = event.target.closest("[data-next]"), all = event.target.closest("[data-fold-all]"), row = event.target.closest("#tree > .tree-row");
  if (!isPlain(event) || !(next || all || row)) return;
  event.preventDefault();
  if (next) return goNext(next.dataset.next);
  if (all) {
    const inner = rows().filter((each) => isRun(each) && level(each) === 2 && each.hasAttribute("aria-expanded"));
    const closes = inner.some((each) => !folded.has(each.id));
    for (const each of inner) closes ? folded.add(each.id) : folded.delete(each.id);
    applyFolds();
    return current()?.hidden && focus(tree().firstElementChild);
  }
  if (!isRun(row)) return toggle(row);
  if (event.target.closest(".twist:not([data-leaf])")) return fold(row, !folded.has(row.id));
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
  if (!(inTree || onPage) || !KEYS[event.key] || event.altKey || event.ctrlKey || event.metaKey || document.querySelector("dialog:modal")) return;
  event.preventDefault();
  const goal = KEYS[event.key](current(), shown());
  if (goal) show(goal, "replace");
});

// A link in the pane led to a run: the tree shows it too, and fetches it if it is folded away.
document.addEventListener("run-shown", async (event) => {
  if (!rowOf(event.detail)) await loadTree(location.href);
  const row = rowOf(event.detail);
  if (!row) return;
  reveal(row);
  select(row);
  focus(row);
});

let finding;
document.addEventListener("input", (event) => {
  if (event.target.id !== "trace-find") return;
  clearTimeout(finding);
  finding = setTimeout(() => {
    const url = new URL(location.href);
    event.target.value.trim() ? url.searchParams.set("q", event.target.value) : url.searchParams.delete("q");
    loadTree(url.href, { history: "replace" });
  }, 180);
});
document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-find]")) return;
  event.preventDefault();
  const first = rows().find(isRun);
  if (first) show(first, "replace");
});

function settle() {
  for (const element of left().querySelectorAll("[data-scripted], [data-fold-all]")) element.hidden = false;
  applyFolds();
}
onTree(settle);
settle();
const chosen = tree().querySelector('[aria-selected="true"]');
const scroller = document.getElementById("tree-scroll"); // not scrollIntoView: on a narrow screen that would move the page too
if (chosen) scroller.scrollTop = chosen.offsetTop - scroller.clientHeight / 2;
