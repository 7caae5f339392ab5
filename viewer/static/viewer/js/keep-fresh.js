// [data-keep-fresh=seconds] is fetched again from this page's address that often while it is seen, and morphed in place.
const find = (root) => root.querySelector("[data-keep-fresh]");
const parse = (text) => new DOMParser().parseFromString(text, "text/html");
let freshAt = performance.now();

async function refresh() {
  freshAt = performance.now();
  const response = await fetch(location.href).catch(() => null); // away: the next one tries again
  if (!response?.ok || response.redirected) return;
  const fresh = find(parse(await response.text()));
  if (find(document) && fresh) Idiomorph.morph(find(document), fresh);
}
function refreshIfOld() {
  const element = find(document);
  if (element && !document.hidden && performance.now() - freshAt > Number(element.dataset.keepFresh) * 1000) refresh();
}
setInterval(refreshIfOld, 1000);
document.addEventListener("visibilitychange", refreshIfOld);
