"""What goes to the package index: a wheel and an sdist that are whole, small and installable alone."""

from __future__ import annotations

import email
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

CLIENT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel and the sdist, built from a copy so that nothing is left in the tree."""
    folder = tmp_path_factory.mktemp("package")
    ignored = shutil.ignore_patterns("__pycache__", ".*", "dist")
    shutil.copytree(CLIENT, folder / "client", ignore=ignored)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", folder / "dist"],
        cwd=folder / "client", check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    (wheel,) = (folder / "dist").glob("*.whl")
    (sdist,) = (folder / "dist").glob("*.tar.gz")
    return wheel, sdist


@pytest.fixture(scope="module")
def metadata(built):
    with zipfile.ZipFile(built[0]) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(wheel.read(name))


def test_the_package_index_would_take_both(built):
    done = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *built],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_wheel_holds_every_module_and_says_that_it_is_typed(built):
    with zipfile.ZipFile(built[0]) as wheel:
        held = {name for name in wheel.namelist() if name.startswith("runwood/")}
    source = CLIENT / "src"
    expected = {str(path.relative_to(source)) for path in source.rglob("*.py")}
    assert held == expected | {"runwood/py.typed"}


def test_the_sdist_holds_source_and_tests(built):
    with tarfile.open(built[1]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"src/runwood/handler.py", "tests/test_tree.py", "README.md", "pyproject.toml"} <= names


def test_installing_it_brings_langchain_core_and_nothing_that_that_does_not_bring(metadata):
    needed = [
        re.match(r"[\w-]+", line)[0]
        for line in metadata.get_all("Requires-Dist")
        if "extra ==" not in line
    ]
    assert sorted(needed) == ["langchain-core", "orjson", "zstandard"]


def test_its_page_has_no_link_that_leads_nowhere(metadata):
    links = re.findall(r"\]\(([^)]+)\)", metadata.get_payload())
    assert [link for link in links if not link.startswith(("https://", "#"))] == []


def test_the_wheel_works_without_the_server_and_without_this_tree(built, tmp_path):
    with zipfile.ZipFile(built[0]) as wheel:
        wheel.extractall(tmp_path)
    script = "import runwood, sys; print(runwood.__file__); assert 'django' not in sys.modules"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(tmp_path)}, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stdout.startswith(str(tmp_path)), done.stderr
