// The window in the minimap is what the waterfall shows of the trace; a press in the minimap scrolls there.
import { onTree } from "./pane.js";

const scroller = () => document.getElementById("tree-scroll");
const plot = () => document.querySelector("[data-minimap]");

function draw() {
  const shade = plot()?.querySelector(".minimap__window"), pane = scroller();
  if (!shade) return;
  shade.setAttribute("y", `${(pane.scrollTop / pane.scrollHeight) * 100}%`);
  shade.setAttribute("height", `${Math.min(1, pane.clientHeight / pane.scrollHeight) * 100}%`);
}
function scroll(event) {
  const box = plot().getBoundingClientRect();
  scroller().scrollTop = ((event.clientY - box.top) / box.height) * scroller().scrollHeight - scroller().clientHeight / 2;
}

document.addEventListener("scroll", (event) => { if (event.target === scroller()) draw(); }, { capture: true, passive: true });
document.addEventListener("pointerdown", (event) => { if (event.target.closest("[data-minimap]")) scroll(event); });
document.addEventListener("pointermove", (event) => { if (event.buttons && event.target.closest("[data-minimap]")) scroll(event); });
addEventListener("resize", draw);
onTree(draw);
draw();
