"""Takes the pictures in docs/img: `make screenshots`.

Starts a server of its own, lets `manage.py seed_demo` and `make demo` fill it, and photographs every page in both
themes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.server import ROOT, Server, running_server

IMAGES = ROOT / "docs" / "img"
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
SIZE = {"width": 1440, "height": 900}


def fill(server: Server) -> None:
    """Make sample traces, and those of the demo's agent by the real handler and SDK."""
    server.manage("seed_demo", "--traces", "800")
    key = server.manage("create_api_key", "screenshots", "--scope", "ingest", "--scope", "read")
    environment = server.environment | {"RUNWOOD_ENDPOINT": server.url, "RUNWOOD_API_KEY": key}
    subprocess.run([sys.executable, "-m", "demo"], env=environment, check=True, cwd=ROOT)
    time.sleep(20)  # until the traces are sealed, and found by their words


def open_page(browser: Browser, server: Server, theme: str) -> Page:
    page = browser.new_context(viewport=SIZE, color_scheme=theme, device_scale_factor=1).new_page()
    page.goto(server.manage("login_url"))
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/projects*")
    return page


PAGES = {
    "projects": "/projects",
    "traces": "/p/shop-support/traces",
    "search": "/p/shop-support/traces?q=status:error+latency:>5s",
    "llm-calls": "/p/shop-support/traces?of=llm",
    "threads": "/p/shop-support/threads",
    "settings": "/p/shop-support/settings",
    "keys": "/settings/keys",
    "members": "/settings/members",
    "prices": "/settings/prices",
}


def photograph(page: Page, origin: str, theme: str) -> None:
    def take(name: str) -> None:
        page.wait_for_timeout(700)
        page.screenshot(path=IMAGES / f"{name}-{theme}.png")

    for name, path in PAGES.items():
        page.goto(origin + path)
        take(name)
    page.goto(origin + PAGES["threads"])
    page.locator("table a").first.click()
    page.wait_for_url("**/threads/*")
    take("thread")
    page.goto(origin + "/p/demo-handler/traces")
    page.locator(".run-row a", has_text="support_agent").last.click()  # the thread's first turn
    page.wait_for_url("**/traces/*")
    page.locator('[role="treeitem"]:has-text("Model")').last.click()
    take("trace")
    for key, name in (("2", "waterfall"), ("3", "conversation"), ("4", "log")):
        page.keyboard.press(key)
        take(name)


def main() -> None:
    chromium = (
        os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    )
    if chromium is None:
        raise SystemExit("Screenshots need Chromium.")
    Path(IMAGES).mkdir(parents=True, exist_ok=True)
    with running_server() as server, sync_playwright() as playwright:
        fill(server)
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGS)
        for theme in ("light", "dark"):
            photograph(open_page(browser, server, theme), server.url, theme)


if __name__ == "__main__":
    main()
