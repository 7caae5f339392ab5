// The search box offers what can stand at the caret: ↓ ↑ choose, Enter or a click takes it, Esc closes.
const AFTER_MS = 120;
let timer, asking;

const box = () => document.getElementById("q");
const list = () => document.getElementById("suggestions");
const chosen = () => list().querySelector('[aria-selected="true"]');

function stopAsking() {
  clearTimeout(timer);
  asking?.abort();
  timer = asking = null;
}
function close() {
  stopAsking();
  list().hidden = true;
  list().replaceChildren();
  box().setAttribute("aria-expanded", "false");
  box().removeAttribute("aria-activedescendant");
}
async function offer() {
  stopAsking();
  const mine = asking = new AbortController();
  const input = box(), query = new URLSearchParams({ q: input.value, at: input.selectionStart });
  const response = await fetch(`${input.dataset.suggest}?${query}`, { signal: mine.signal }).catch(() => null);
  const html = response?.ok ? await response.text().catch(() => "") : "";
  if (asking !== mine) return; // closed meanwhile, or asked anew
  asking = null;
  if (document.activeElement !== input) return;
  const parsed = new DOMParser().parseFromString(`<ul>${html}</ul>`, "text/html");
  list().replaceChildren(...parsed.querySelectorAll("li"));
  const isEmpty = !list().children.length;
  list().hidden = isEmpty;
  input.setAttribute("aria-expanded", String(!isEmpty));
  input.removeAttribute("aria-activedescendant");
}
function choose(step) {
  const options = [...list().children], now = options.indexOf(chosen());
  const next = options[(now + step + (now < 0 && step < 0 ? 1 : 0) + options.length) % options.length];
  for (const option of options) option.setAttribute("aria-selected", String(option === next));
  next.scrollIntoView({ block: "nearest" });
  box().setAttribute("aria-activedescendant", next.id);
}
function take(option) {
  const input = box();
  input.value = option.dataset.text;
  input.setSelectionRange(option.dataset.caret, option.dataset.caret);
  close();
  input.focus();
  offer();
}

document.addEventListener("input", (event) => {
  if (event.target.id !== "q") return;
  stopAsking();
  timer = setTimeout(offer, AFTER_MS);
});
document.addEventListener("keydown", (event) => {
  if (event.target.id !== "q") return;
  const isOpen = !list().hidden;
  if (event.key === "ArrowDown" && !isOpen) offer();
  else if (isOpen && (event.key === "ArrowDown" || event.key === "ArrowUp")) choose(event.key === "ArrowDown" ? 1 : -1);
  else if (isOpen && event.key === "Enter" && chosen()) take(chosen());
  else if ((isOpen || timer || asking) && event.key === "Escape") close();
  else return;
  event.preventDefault();
  event.stopPropagation();
}, true);
document.addEventListener("mousedown", (event) => {
  const option = event.target.closest("#suggestions [role=option]");
  if (!option) return;
  event.preventDefault(); // the box keeps its focus
  take(option);
});
document.addEventListener("focusout", (event) => event.target.id === "q" && close());
document.addEventListener("submit", () => list() && close(), true);
