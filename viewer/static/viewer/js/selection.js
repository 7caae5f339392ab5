// Rows are selected by their boxes, by X, and from one box to another with Shift. The bar shows itself (run-list.css).
import { onKey } from "./keys.js";

let anchor = null;

const form = () => document.getElementById("selection");
const boxes = () => [...document.querySelectorAll("#run-rows > .run-row input[name=id]")];
const walked = () => document.activeElement?.closest?.("#run-rows > .run-row")?.querySelector("input[name=id]");

function count() {
  const checked = boxes().filter((box) => box.checked).length;
  for (const place of document.querySelectorAll("[data-selected-count]")) place.textContent = checked ? `${checked.toLocaleString("en")} ` : "";
  for (const row of document.querySelectorAll("#run-rows > .run-row")) row.toggleAttribute("data-selected", row.querySelector("input[name=id]")?.checked ?? false);
  for (const button of document.querySelectorAll("[data-select-all]")) button.hidden = checked === boxes().length;
}
function set(box, checked, extends_) {
  const all = boxes(), from = extends_ && anchor?.isConnected ? all.indexOf(anchor) : -1, to = all.indexOf(box);
  for (const other of from < 0 ? [box] : all.slice(Math.min(from, to), Math.max(from, to) + 1)) other.checked = checked;
  anchor = box;
  count();
}

document.addEventListener("click", (event) => {
  if (event.target.matches("#run-rows input[name=id]")) set(event.target, event.target.checked, event.shiftKey);
  else if (event.target.closest("[data-select-all]")) {
    for (const box of boxes()) box.checked = true;
    count();
  }
});
onKey("x", () => {
  const box = walked();
  if (!box) return false;
  set(box, !box.checked, false);
});
onKey("shift+x", () => {
  const box = walked();
  if (!box) return false;
  set(box, true, true);
});
document.addEventListener("reset", (event) => event.target === form() && setTimeout(count)); // once the boxes are empty
document.addEventListener("htmx:afterSwap", count);
document.addEventListener("runwood:rows", count);
addEventListener("pageshow", count); // a browser may have kept what was checked
// What the server sends has no box checked; the reader's stay.
const before = Idiomorph.defaults.callbacks.beforeNodeMorphed;
Idiomorph.defaults.callbacks.beforeNodeMorphed = (node, fresh) => {
  if (node.matches?.("#run-rows input[name=id]")) return false;
  return before?.(node, fresh);
};
