"""The conformance suite under the older langchain-core that is supported, in an environment of its own."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "conformance.py"


@pytest.mark.skipif(
    not SCRIPT.exists(), reason="the client alone: its server's scripts are not here"
)
def test_langchain_core_1_7_passes_the_conformance_suite(tmp_path):
    spec = importlib.util.spec_from_file_location("conformance_script", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    try:
        python = script.install(script.OLDER, tmp_path / "venv")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"LANGCHAIN-CORE 1.7 COULD NOT BE INSTALLED: {error}")
    report = tmp_path / "report.xml"
    script.run(python, report)
    assert script.version_in(python).startswith("1.7.")
    assert set(script.outcomes(report).values()) == {"passed"}
