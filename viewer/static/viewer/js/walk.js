// J and K walk the links of the rows in [data-walk]; Esc leaves them.
import { onKey } from "./keys.js";

const STOP = "[data-walk] :is(.row-link, .run-row__link)";

function walk(step) {
  const links = [...document.querySelectorAll(STOP)], at = links.indexOf(document.activeElement);
  const next = links[at < 0 ? (step > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, at + step))];
  next?.focus({ preventScroll: true });
  next?.closest("tr").scrollIntoView({ block: "nearest" });
}
onKey("j", () => walk(1));
onKey("k", () => walk(-1));
onKey("Escape", () => (document.activeElement.matches(STOP) ? document.activeElement.blur() : false));
