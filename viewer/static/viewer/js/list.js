// The trace list after a swap: the rail stays as the reader left it, the count of rows is right, the top is in view.
// What the reader folded or opened stays so: the server always sends facets open and menus closed.
Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, element) => !(name === "open" && element.matches("details"));

function showLoaded() {
  for (const element of document.querySelectorAll("[data-loaded]")) element.textContent = document.querySelectorAll("#run-rows > .run-row").length.toLocaleString("en");
}
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id === "trace-list") {
    document.getElementById("run-scroll")?.scrollTo(0, 0);
    for (const menu of document.querySelectorAll("#trace-list [data-menu][open]")) menu.open = false;
  }
  showLoaded();
});
document.addEventListener("runwood:rows", showLoaded);

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-rail-toggle]");
  if (!button) return;
  const isOpen = (document.documentElement.dataset.rail = document.documentElement.dataset.rail === "open" ? "" : "open") === "open";
  button.setAttribute("aria-expanded", isOpen);
});
