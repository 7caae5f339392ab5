"""Takes the pictures in docs/img: `make screenshots`.

Starts a server of its own, lets `make demo` and a few hundred agent traces fill it, and photographs projects,
list and trace in both themes.
"""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.server import ROOT, Server, running_server
from benchmarks.workload import batches

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
    """Send demo traces, and agent traces of the last day to three more projects."""
    key = server.manage("create_api_key", "screenshots", "--scope", "ingest", "--scope", "read")
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    headers = {"x-api-key": key, "Content-Type": "application/json"}
    for seed, (project, runs) in enumerate(
        (("docs-assistant", 4000), ("nightly-eval", 2000), ("order-desk", 1000))
    ):
        start = datetime.now(UTC) - timedelta(hours=20)
        for body in batches(runs, project=project, seed=seed, start=start, spacing=200):
            connection.request("POST", "/runs/batch", body, headers)
            answer = connection.getresponse()
            if answer.status != 202:
                raise RuntimeError(answer.read())
            answer.read()
    environment = server.environment | {"RUNWOOD_ENDPOINT": server.url, "RUNWOOD_API_KEY": key}
    subprocess.run([sys.executable, "-m", "demo"], env=environment, check=True, cwd=ROOT)
    time.sleep(3)


def open_page(browser: Browser, server: Server, theme: str) -> Page:
    page = browser.new_context(viewport=SIZE, color_scheme=theme, device_scale_factor=1).new_page()
    page.goto(server.manage("login_url"))
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/projects*")
    return page


def photograph(page: Page, theme: str) -> None:
    page.screenshot(path=IMAGES / f"projects-{theme}.png")
    page.get_by_role("link", name="docs-assistant").first.click()
    page.wait_for_url("**/traces*")
    page.wait_for_timeout(500)
    page.screenshot(path=IMAGES / f"traces-{theme}.png")
    page.goto(page.url.partition("/p/")[0] + "/p/demo-handler/traces")
    page.locator(
        ".run-row a", has_text="support_agent"
    ).last.click()  # the first turn of the thread
    page.wait_for_url("**/traces/*")
    page.locator('[role="treeitem"]:has-text("Model")').last.click()
    page.wait_for_timeout(700)
    page.screenshot(path=IMAGES / f"trace-{theme}.png")
    page.get_by_role("link", name="Waterfall").click()
    page.wait_for_timeout(700)
    page.screenshot(path=IMAGES / f"waterfall-{theme}.png")


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
            photograph(open_page(browser, server, theme), theme)


if __name__ == "__main__":
    main()
