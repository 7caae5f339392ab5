// Rows that are new: they wait behind a button until the reader lets them in, or until nobody would notice them move.
const PAGE_SIZE = 50; // as the server has it

let held = null; // { fresh, rows }: a fresh page, and which of its rows wait

export const rowsOf = (root) => [...(root?.querySelectorAll(":scope > .run-row") ?? [])];
export const shownRows = () => document.getElementById("run-rows");
const scrollPane = () => document.getElementById("run-scroll");

// Takes over what a fresh page has above the last row that is shown already. What is below is no news: it only moved up.
export function hold(fresh) {
  const rows = rowsOf(fresh.getElementById("run-rows"));
  const isShown = (row) => document.getElementById(row.id) !== null;
  const lastShown = rows.findLastIndex(isShown);
  const waiting = rows.filter((row, at) => !isShown(row) && (lastShown < 0 || at < lastShown));
  held = waiting.length ? { fresh, rows: waiting } : null;
  if (!letInUnnoticed()) announce();
}

export function drop() {
  held = null;
  announce();
}

export function letIn() {
  if (!held) return false;
  const { fresh, rows } = held;
  drop();
  scrollPane().scrollTo(0, 0);
  if (rowsOf(shownRows()).length <= PAGE_SIZE || rows.length >= PAGE_SIZE) {
    // One page is shown, or there is a gap: the fresh page takes its place, with its link to what is older.
    Idiomorph.morph(shownRows(), fresh.getElementById("run-rows"));
    const more = document.getElementById("run-more");
    Idiomorph.morph(more, fresh.getElementById("run-more"));
    htmx.process(more);
  } else {
    shownRows().prepend(...rows);
  }
  for (const row of rows) document.getElementById(row.id)?.setAttribute("data-fresh", "");
  document.dispatchEvent(new CustomEvent("runwood:rows"));
  return true;
}

function announce() {
  const band = document.querySelector("[data-new-rows]");
  if (!band) return;
  const count = held?.rows.length ?? 0;
  band.hidden = !count;
  band.querySelector("span").textContent = count ? `${count}${count < PAGE_SIZE ? "" : "+"} new trace${count === 1 ? "" : "s"}` : "";
}

// Rows may move by themselves only at the top, and where nobody points at them, walks them by key, or selects text.
function letInUnnoticed() {
  const pane = scrollPane();
  const top = pane.scrollHeight > pane.clientHeight + 1 ? pane.scrollTop : scrollY; // on a narrow screen the page scrolls
  // The whole of the results counts as pointed at: on its way to the button the pointer must not make it vanish.
  if (top > 2 || pane.closest(".results").matches(":hover") || pane.contains(document.activeElement) || !getSelection().isCollapsed) return false;
  return letIn();
}

document.addEventListener("click", (event) => event.target.closest("[data-new-rows]") && letIn());
document.addEventListener("scroll", () => held && letInUnnoticed(), true);
document.addEventListener("pointerout", (event) => {
  if (held && event.target.closest?.(".results") && !event.relatedTarget?.closest?.(".results")) letInUnnoticed();
});
