// The rows of the tree, which is flat: what belongs to a row follows it with a higher aria-level. Folding, focus, selection.
import { left, onTree } from "./pane.js";

const folded = new Set(); // ids of rows: the reader's folds outlive a morph

const none = document.createElement("div"); // the conversation and the log have no tree
export const tree = () => document.getElementById("tree") ?? none;
export const rows = () => [...tree().children];
export const shown = () => rows().filter((row) => !row.hidden);
export const level = (row) => Number(row.getAttribute("aria-level"));
export const isRun = (row) => row.id.startsWith("r-");
export const current = () => tree().querySelector('[tabindex="0"]') ?? tree().firstElementChild;
export const parentOf = (row, list) => list.slice(0, list.indexOf(row)).findLast((other) => level(other) < level(row));

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

export function fold(row, closes) {
  closes ? folded.add(row.id) : folded.delete(row.id);
  applyFolds();
  if (current()?.hidden) focus(row);
}

export function reveal(row) {
  const list = rows();
  for (let above = parentOf(row, list); above; above = parentOf(above, list)) folded.delete(above.id);
  applyFolds();
}

export function makeCurrent(row) {
  for (const other of tree().querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
  row.tabIndex = 0; // the one row that takes the tab key
}

export function focus(row) {
  makeCurrent(row);
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

export function select(row) {
  for (const other of tree().querySelectorAll('[aria-selected="true"]')) other.setAttribute("aria-selected", "false");
  row.setAttribute("aria-selected", "true");
}

export const isFolded = (row) => folded.has(row.id);

export function foldAll() {
  const inner = rows().filter((row) => isRun(row) && level(row) === 2 && row.hasAttribute("aria-expanded"));
  const closes = inner.some((row) => !folded.has(row.id));
  for (const row of inner) closes ? folded.add(row.id) : folded.delete(row.id);
  applyFolds();
  if (current()?.hidden) focus(tree().firstElementChild);
}

function settle() {
  const [first, ...others] = tree().querySelectorAll('[tabindex="0"]');
  for (const other of others) other.tabIndex = -1;
  if (!first && tree().firstElementChild) makeCurrent(tree().firstElementChild);
  for (const element of left().querySelectorAll("[data-scripted], [data-fold-all]")) element.hidden = false;
  applyFolds();
}
onTree(settle);
settle();
