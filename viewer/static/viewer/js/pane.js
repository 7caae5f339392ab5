// The trace page follows its URL: a click, an arrow key or Back fetches the part that changed, the run pane or the tree.
// Links: [data-run-link] and tree rows change the run pane, [data-live-link] the tree and the head.
import "./grow.js";

const listeners = new Set();
let paneRequest, treeRequest;

const pane = () => document.getElementById("run-pane");
export const left = () => document.getElementById("trace-left");
export const onTree = (listener) => listeners.add(listener); // called after the tree was morphed
export const say = (text) => { document.getElementById("trace-says").textContent = text; };
export const rowOf = (runId) => document.getElementById(`r-${runId}`);

// A link knows the page as it was when it was drawn; of the rest of the page the address knows better.
const TREE_KEYS = ["view", "q", "plumbing", "open", "rows"], PANE_KEYS = ["run", "tab", "input", "output", "messages"];
export function urlWith(changes) {
  const url = new URL(location.href), kept = new URLSearchParams(url.search);
  url.search = "";
  for (const key of [...TREE_KEYS, ...PANE_KEYS]) {
    const value = key in changes ? changes[key] : kept.get(key);
    if (value) url.searchParams.set(key, value);
  }
  return url.href;
}
function follow(href, keys) {
  const asked = new URL(href, location.href).searchParams;
  return urlWith(Object.fromEntries(keys.map((key) => [key, asked.get(key)])));
}
export const treeUrl = (href) => follow(href, TREE_KEYS);
export const runUrl = (runId) => urlWith({ run: runId, input: null, output: null, messages: null });

async function fetchPart(url, target, signal) {
  const headers = { "HX-Request": "true", "HX-Target": target, "HX-Current-URL": location.href };
  const response = await fetch(url, { headers, signal, cache: "no-store" });
  if (response.headers.has("HX-Redirect")) return location.assign(response.headers.get("HX-Redirect"));
  if (!response.ok && response.status !== 404) throw new Error(`The server answered ${response.status}`);
  const holder = document.createElement("template");
  holder.innerHTML = await response.text();
  return holder.content;
}

// What the reader did to the page is theirs: folds, open details, the text being typed, the width of the panes.
const KEPT = new Set(["hidden", "open", "aria-valuenow"]), KEPT_OF_ROWS = new Set(["aria-expanded", "aria-selected", "tabindex"]);
const isKept = (name, node) => KEPT.has(name) || (name === "href" && node.id === "trace-back") || (KEPT_OF_ROWS.has(name) && node.id.startsWith("r-"));
export function morph(fresh) {
  const old = document.getElementById(fresh.id);
  const callbacks = { beforeAttributeUpdated: (name, node) => !isKept(name, node) };
  Idiomorph.morph(old, fresh, { morphStyle: "outerHTML", ignoreActiveValue: true, callbacks });
}

function note(url, history) {
  if (history === "push" && url !== location.href) window.history.pushState({}, "", url);
  if (history === "replace") window.history.replaceState({}, "", url);
}

async function attempt(work, retry) {
  try { await work(); return true; } catch (error) {
    if (error.name === "AbortError") return false;
    say(`${error.message}. Trying again.`);
    if (retry) location.assign(retry);
    return false;
  }
}

// `keeps`: the same run anew, in place.
export async function loadPane(url, { history = "none", keeps = false } = {}) {
  paneRequest?.abort();
  const request = (paneRequest = new AbortController());
  url = new URL(url, location.href).href;
  pane().setAttribute("aria-busy", "true");
  await attempt(async () => {
    const part = await fetchPart(url, "run-pane", request.signal);
    if (!part || request.signal.aborted) return;
    note(url, history);
    const fresh = part.getElementById("run-pane"), old = pane(), isSame = fresh.dataset.run === old.dataset.run;
    if (keeps && isSame) return morph(fresh);
    const scrolled = isSame ? document.getElementById("run-body")?.scrollTop : 0;
    const hadFocus = old.contains(document.activeElement);
    old.replaceWith(fresh);
    if (scrolled) document.getElementById("run-body").scrollTop = scrolled;
    if (hadFocus && isSame) fresh.querySelector(".tabs [aria-current]")?.focus({ preventScroll: true });
  }, history === "none" ? null : url);
  if (request === paneRequest) pane().removeAttribute("aria-busy");
}

export async function loadTree(url, { history = "none" } = {}) {
  treeRequest?.abort();
  const request = (treeRequest = new AbortController());
  url = new URL(url, location.href).href;
  return attempt(async () => {
    const part = await fetchPart(url, "trace-live", request.signal);
    if (!part || request.signal.aborted) return;
    note(url, history);
    for (const fresh of [...part.children]) if (document.getElementById(fresh.id)) morph(fresh);
    for (const listener of listeners) listener();
  }, history === "none" ? null : url);
}

// Not a row but something else chose the run: the tree marks it. `leads`: the focus goes there too.
const tellTree = (leads) => document.dispatchEvent(new CustomEvent("run-chosen", { detail: { runId: pane().dataset.run, leads } }));

const isPlain = (event) => event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-run-link], a[data-live-link]");
  if (!link || !isPlain(event) || event.defaultPrevented) return;
  event.preventDefault();
  if (link.matches("[data-live-link]")) return loadTree(treeUrl(link.href), { history: "push" });
  const before = pane().dataset.run;
  loadPane(follow(link.href, PANE_KEYS), { history: "push" }).then(() => tellTree(pane().dataset.run !== before));
});
addEventListener("popstate", async () => {
  await loadTree(location.href);
  await loadPane(location.href);
  tellTree(false);
});

// Back leads to the list as the reader left it, filters and all.
const back = document.getElementById("trace-back");
if (document.referrer && new URL(document.referrer).pathname === new URL(back.href).pathname && new URL(document.referrer).origin === location.origin) back.href = document.referrer;
