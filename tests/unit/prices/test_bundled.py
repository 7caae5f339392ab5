"""The bundled prices: which model is meant, and that nobody goes to the network for them."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from collector.prices.bundled import find_bundled_price

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("model", "provider", "found"),
    [
        ("gpt-4o-2024-08-06", "openai", ("openai", "gpt-4o")),
        ("gpt-4o", "", ("openai", "gpt-4o")),
        ("gpt-4o", "azure", ("azure", "gpt-4o")),
        ("gpt-4o", "azure_ai", ("azure", "gpt-4o")),
        ("gemini-2.5-flash", "google_vertexai", ("google", "gemini-2.5-flash")),
        ("gemini-2.5-flash", "gcp.gen_ai", ("google", "gemini-2.5-flash")),
        ("claude-3-5-sonnet-20241022", "anthropic", ("anthropic", "claude-3-5-sonnet")),
        ("gpt-4o", "ollama", None),
        ("no-such-model", "openai", None),
        ("whisper-1", "openai", None),  # priced by the hour
        ("", "", None),
    ],
)
def test_a_model_is_found_by_its_name_and_provider(
    model: str, provider: str, found: tuple[str, str] | None
) -> None:
    price = find_bundled_price(model, provider, NOW)
    assert (price and (price.provider, price.model)) == found


WITHOUT_NETWORK = """
import sys
from datetime import UTC, datetime

def watch(event, arguments):
    if event.startswith("socket."):
        raise SystemExit(f"{event} {arguments}")

sys.addaudithook(watch)
from collector.prices.bundled import find_bundled_price
print(find_bundled_price("gpt-4o", "openai", datetime.now(UTC)).source)
"""


def test_a_price_is_found_without_a_socket() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_NETWORK], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("genai-prices 0.")


A_WORKER_BEGINS = """
import sys
import django
django.setup()
from collector.sweeper import Sweeper

assert "genai_prices.data" not in sys.modules
sweeper = Sweeper()
sweeper.stopping.set()
sweeper.run()
print("genai_prices.data" in sys.modules)
"""


def test_a_worker_has_the_prices_before_it_writes_its_first_run() -> None:
    done = subprocess.run(
        [sys.executable, "-c", A_WORKER_BEGINS],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
