// [data-tab] links show their [data-panel] in place, so that what stands there only once (a new key) is not lost by a visit.
function show(name) {
  for (const link of document.querySelectorAll("[data-tab]")) {
    if (link.dataset.tab === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  for (const panel of document.querySelectorAll("[data-panel]")) panel.hidden = panel.dataset.panel !== name;
}
const chosen = () => document.querySelector("[data-tab][aria-current]")?.dataset.tab;
let kept = null;

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-tab]");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  show(link.dataset.tab);
  history.replaceState(history.state, "", link.href);
});
// An answer that replaces the tabs comes with the tab of the address that was asked.
document.addEventListener("htmx:beforeSwap", () => { kept = chosen(); });
document.addEventListener("htmx:afterSwap", () => kept && show(kept));
