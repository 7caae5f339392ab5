// Keys of the page. An element names its key by data-key ("/", "l", "g t", "mod+k") and is focused if one types into it,
// else clicked; a module takes a key by onKey(). Single keys are off while typing, in dialogs, and where switched off.
const SWITCH = "runwood.letter-keys";
const CHORD_MS = 900;
const handlers = new Map();
let prefix = "", prefixAt = 0;

export const isTyping = (element) => element.matches?.("input:not([type=checkbox], [type=radio], [type=submit]), textarea, select, [contenteditable]");
export const onKey = (key, handler) => handlers.set(key, handler);

function keyName(event) {
  const isLetter = /^\p{L}$/u.test(event.key);
  return (event.metaKey || event.ctrlKey ? "mod+" : "") + (isLetter && event.shiftKey ? "shift+" : "") + (isLetter ? event.key.toLowerCase() : event.key);
}
const lettersAreOff = () => localStorage.getItem(SWITCH) === "off";

function act(key, event) {
  const target = [...document.querySelectorAll(`[data-key="${CSS.escape(key)}"]`)].find((element) => element.checkVisibility());
  if (target) isTyping(target) ? (target.focus(), target.select?.()) : target.click();
  else if (!handlers.has(key) || handlers.get(key)(event) === false) return;
  event.preventDefault();
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.altKey || event.isComposing || document.querySelector("dialog:modal")) return;
  const key = keyName(event), hasModifier = key.startsWith("mod+");
  if (isTyping(event.target)) {
    if (key === "Escape") event.target.blur();
    if (!hasModifier) return;
  }
  if (!hasModifier && [...event.key].length === 1 && lettersAreOff()) return;
  const chord = prefix && performance.now() - prefixAt < CHORD_MS ? `${prefix} ${key}` : key;
  prefix = key === "g" && !hasModifier ? key : "";
  prefixAt = prefix ? performance.now() : 0;
  if (!prefix) act(chord, event);
});

const letterSwitch = document.querySelector("[data-letter-keys]");
if (letterSwitch) {
  letterSwitch.checked = !lettersAreOff();
  letterSwitch.addEventListener("change", () => localStorage.setItem(SWITCH, letterSwitch.checked ? "on" : "off"));
}
