// Clocks of running work: the server sends the age in data-ticks, the page counts on from it.
const began = new WeakMap(); // element → { age, at }: a morph that brings a new age starts anew
const INTERVAL_MS = matchMedia("(prefers-reduced-motion: reduce)").matches ? 1000 : 100;

function clock(seconds) {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.floor(seconds);
  for (const [size, part, unit, subunit] of [[86400, 3600, "d", "h"], [3600, 60, "h", "min"], [60, 1, "min", "s"]])
    if (whole >= size) return `${Math.floor(whole / size)} ${unit} ${Math.floor((whole % size) / part)} ${subunit}`;
}

setInterval(() => {
  if (document.hidden) return;
  for (const element of document.querySelectorAll("[data-ticks]")) {
    const age = Number(element.dataset.ticks);
    let start = began.get(element);
    if (start?.age !== age) began.set(element, (start = { age, at: performance.now() }));
    const text = clock(age + (performance.now() - start.at) / 1000);
    if (element.textContent !== text) element.textContent = text;
  }
}, INTERVAL_MS);
