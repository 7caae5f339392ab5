// The handle between the panes: drag it, or move it with the arrow keys. Each view remembers its width on this device.
import { left, onTree } from "./pane.js";

const MIN = 25, MAX = 75;
const frame = document.querySelector(".trace");
const key = () => `runwood.left.${left().dataset.view}`;
const handle = () => document.getElementById("trace-handle");

function set(percent) {
  const width = Math.round(Math.min(MAX, Math.max(MIN, percent)) * 10) / 10;
  frame.style.setProperty("--left", `${width}%`);
  handle().setAttribute("aria-valuenow", Math.round(width));
  localStorage.setItem(key(), width);
}
function restore() {
  const saved = Number(localStorage.getItem(key()));
  if (saved) set(saved);
  else frame.style.removeProperty("--left");
}

document.addEventListener("pointerdown", (event) => {
  if (event.target.id !== "trace-handle") return;
  event.preventDefault();
  event.target.setPointerCapture(event.pointerId);
  const move = (moved) => set(((moved.clientX - frame.getBoundingClientRect().left) / frame.clientWidth) * 100);
  event.target.addEventListener("pointermove", move);
  event.target.addEventListener("lostpointercapture", () => event.target.removeEventListener("pointermove", move), { once: true });
});
document.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -2, ArrowRight: 2 }[event.key];
  if (event.target.id !== "trace-handle" || !step) return;
  event.preventDefault();
  set(Number(handle().getAttribute("aria-valuenow")) + step);
});
onTree(restore);
restore();
