// [data-copy=id] copies that element's text, [data-copy-url] what that address answers, [data-copy-link] the page's own.
// The button says so for a moment: by its [data-copy-label], or by a tick in place of its icon (data-copied).
const SHOWN_MS = 1600;

async function write(text) {
  // Only a promise of the text may be handed over late: Safari forgets the press that allowed it.
  if (navigator.clipboard && text instanceof Promise && window.ClipboardItem)
    return navigator.clipboard.write([new ClipboardItem({ "text/plain": text.then((words) => new Blob([words], { type: "text/plain" })) })]);
  text = await text;
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // An http address that is not localhost has no clipboard API.
  const area = document.body.appendChild(Object.assign(document.createElement("textarea"), { value: text, className: "sr" }));
  area.select();
  document.execCommand("copy");
  area.remove();
}
async function load(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`The server answered ${response.status}`);
  return response.text();
}
function source(button) {
  if (button.dataset.copyUrl) return load(button.dataset.copyUrl);
  return "copyLink" in button.dataset ? location.href : document.getElementById(button.dataset.copy).textContent.trim();
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-url], [data-copy-link]");
  if (!button) return;
  const label = button.querySelector("[data-copy-label]"), name = button.getAttribute("aria-label");
  let said = "Copied";
  try { await write(source(button)); } catch (error) { said = `Not copied: ${error.message}`; }
  if (button.dataset.copied) return;
  button.dataset.copied = said === "Copied" ? "done" : "failed";
  const before = label?.textContent;
  if (label) label.textContent = said;
  else button.setAttribute("aria-label", said);
  setTimeout(() => {
    delete button.dataset.copied;
    if (label) label.textContent = before;
    else button.setAttribute("aria-label", name);
  }, SHOWN_MS);
});
