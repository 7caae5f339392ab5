// [data-copy=id] copies that element's text and says so for a moment.
const SHOWN_MS = 1600;

async function write(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // An http address that is not localhost has no clipboard API.
  const area = document.body.appendChild(Object.assign(document.createElement("textarea"), { value: text, className: "sr" }));
  area.select();
  document.execCommand("copy");
  area.remove();
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await write(document.getElementById(button.dataset.copy).textContent.trim());
  const label = button.querySelector("[data-copy-label]");
  if (!label || button.dataset.copied) return;
  const before = label.textContent;
  button.dataset.copied = "true";
  label.textContent = "Copied";
  setTimeout(() => { label.textContent = before; delete button.dataset.copied; }, SHOWN_MS);
});
