// Light, dark, or as the system says. The choice is a cookie, so that the server sends the next page in it.
const COOKIE = "runwood_theme";
const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);

function show() {
  for (const button of document.querySelectorAll("[data-theme-form] [name=theme]"))
    button.setAttribute("aria-pressed", button.value === (root.dataset.theme ?? "system"));
}
function choose(theme) {
  const isChoice = theme === "light" || theme === "dark";
  if (isChoice) root.dataset.theme = theme;
  else delete root.dataset.theme;
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `${COOKIE}=${isChoice ? theme : ""}; path=/; max-age=${isChoice ? 400 * 86400 : 0}; samesite=lax${secure}`;
  show();
}

for (const button of document.querySelectorAll("[data-theme-toggle]")) {
  button.hidden = false;
  button.addEventListener("click", () => choose(isDark() ? "light" : "dark"));
}
document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-theme-form]")) return;
  event.preventDefault();
  choose(event.submitter.value);
});
show();
