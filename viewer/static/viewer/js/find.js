// The tree narrows to what is typed; Enter shows the first run that is left.
import { loadTree, urlWith } from "./pane.js";
import { isRun, rows } from "./rows.js";
import { show } from "./tree.js";

const AFTER_MS = 180;
let finding;
document.addEventListener("input", (event) => {
  if (event.target.id !== "trace-find") return;
  clearTimeout(finding);
  finding = setTimeout(() => {
    loadTree(urlWith({ q: event.target.value.trim() }), { history: "replace" });
  }, AFTER_MS);
});
document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-find]")) return;
  event.preventDefault();
  const first = rows().find(isRun);
  if (first) show(first, "replace");
});
