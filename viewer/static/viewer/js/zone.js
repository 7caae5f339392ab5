// Tells the server the browser's time zone, so that it writes times as they are here. Where it did not know yet and this page
// shows a time, the page is fetched once more; with cookies refused the times stay in UTC.
const COOKIE = "runwood_zone";
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

if (zone && document.documentElement.dataset.zone !== zone) {
  const isKnown = () => document.cookie.split("; ").includes(`${COOKIE}=${zone}`);
  const wasKnown = isKnown(); // a zone that the server does not know must not make it reload for ever
  document.cookie = `${COOKIE}=${zone}; path=/; max-age=${400 * 86400}; samesite=lax`;
  if (!wasKnown && isKnown() && document.querySelector("time")) location.reload();
}
