// Waits for a trace to arrive, says so, and opens it; a reader who does something meanwhile is not carried away.
import { Stream } from "./stream.js";

const OPEN_MS = 1500; // time to read what has come
const box = document.getElementById("arrival");

const stream = new Stream(() => (box.dataset.state === "waiting" ? box.dataset.stream : ""), {
  trace(data) {
    const { url, name, project } = JSON.parse(data);
    box.dataset.state = "arrived";
    stream.update();
    box.querySelector(".status").dataset.status = "success";
    box.querySelector(".status use").setAttribute("href", box.querySelector(".status use").getAttribute("href").replace(/#.*/, "#ok"));
    box.querySelector("[data-arrival-title]").textContent = `${name || "A trace"} has arrived in ${project}`;
    box.querySelector("[data-arrival-note]").textContent = "Opening it…";
    box.querySelector("[data-ticks]").remove();
    const link = box.querySelector("[data-arrival-link]");
    link.href = url;
    link.hidden = false;
    openSoon(link);
  },
});

function openSoon(link) {
  const timer = setTimeout(() => location.assign(link.href), OPEN_MS);
  const stay = (event) => {
    if (event.target.closest?.("#arrival")) return;
    clearTimeout(timer);
    box.querySelector("[data-arrival-note]").textContent = "It is ready when you are.";
  };
  for (const name of ["pointerdown", "keydown"]) addEventListener(name, stay, { once: true });
}
