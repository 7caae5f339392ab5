"""Code, .env.example and docs/operating.md name the same variables; what they say of defaults is true."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import env, paths
from config.settings import database_settings

ROOT = paths.BASE_DIR
READ = re.compile(r'(?:env_\w+|environ\.get)\(\s*"((?:RUNWOOD|DATABASE|CELERY)_\w+)"')
INTERNAL = {"RUNWOOD_SUPERVISED"}  # the supervisor's mark on its children


def variables_of_code() -> set[str]:
    texts = (path.read_text(encoding="utf-8") for path in (ROOT / "config").glob("*.py"))
    return {name for text in texts for name in READ.findall(text)} - INTERNAL


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_every_variable_has_a_heading_in_the_docs() -> None:
    assert set(re.findall(r"^### ([A-Z_]+)$", text_of("docs/operating.md"), re.MULTILINE)) == (
        variables_of_code()
    )


def test_every_variable_has_a_line_in_the_example() -> None:
    assert set(re.findall(r"^#([A-Z_]+)=", text_of(".env.example"), re.MULTILINE)) == (
        variables_of_code()
    )


def test_compose_passes_every_variable_on_that_it_does_not_set_itself() -> None:
    given_elsewhere = {
        *("RUNWOOD_DATA_DIR", "RUNWOOD_HOST"),  # by the image
        *("DATABASE_URL", "DATABASE_DIRECT_URL", "RUNWOOD_WORKERS"),  # a file; one; --scale
    }
    named = re.findall(r"^  ([A-Z_]+):", text_of("docker-compose.yml"), re.MULTILINE)
    assert set(named) - {"DATABASE_URL_FILE"} == variables_of_code() - given_elsewhere


def test_the_documented_numbers_are_the_defaults() -> None:
    settings = text_of("config/settings.py")
    reads = re.findall(r'env_int\(\s*"(\w+)", ([\d_<> ]+)', settings)
    defaults = {name: eval(number) for name, number in reads}
    documented = re.findall(r"^#(\w+)=(\d+)$", text_of(".env.example"), re.MULTILINE)
    headings = re.findall(r"^### (\w+)\n.*?`(\d+)`", text_of("docs/operating.md"), re.MULTILINE)
    assert {name: int(number) for name, number in documented} == defaults
    assert {name: int(number) for name, number in headings} == defaults


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", True), ("Yes", True), (" on ", True), ("true", True), ("0", False), ("", False)],
)
def test_a_boolean_is_read(monkeypatch: pytest.MonkeyPatch, text: str, value: bool) -> None:
    monkeypatch.setenv("RUNWOOD_X", text)
    assert env.env_bool("RUNWOOD_X", default=not value) is value


@pytest.mark.parametrize("text", ["yse", "2", "none"])
def test_a_boolean_that_cannot_be_meant_is_refused(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("RUNWOOD_X", text)
    with pytest.raises(ImproperlyConfigured, match=r"RUNWOOD_X is .*: use true or false"):
        env.env_bool("RUNWOOD_X", default=False)


@pytest.mark.parametrize(("text", "value"), [("12", 12), (" 7 ", 7), ("1_000", 1000), ("", 5)])
def test_a_number_is_read(monkeypatch: pytest.MonkeyPatch, text: str, value: int) -> None:
    monkeypatch.setenv("RUNWOOD_X", text)
    assert env.env_int("RUNWOOD_X", 5) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [("8k", "use a whole number"), ("1.5", "whole"), ("0", "at least 1"), ("99", "at most 9")],
)
def test_a_number_that_cannot_be_meant_is_refused(
    monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.setenv("RUNWOOD_X", text)
    with pytest.raises(ImproperlyConfigured, match=f"RUNWOOD_X is .*{message}"):
        env.env_int("RUNWOOD_X", 5, minimum=1, maximum=9)


def test_a_choice_is_one_of_those_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNWOOD_X", "info")
    assert env.env_choice("RUNWOOD_X", "ERROR", ("INFO", "ERROR")) == "INFO"
    monkeypatch.setenv("RUNWOOD_X", "loud")
    with pytest.raises(ImproperlyConfigured, match="use one of INFO, ERROR"):
        env.env_choice("RUNWOOD_X", "ERROR", ("INFO", "ERROR"))


def test_a_bad_database_address_is_refused_without_its_password() -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        database_settings("postgresql://me:hush@host:port:5432/x y")
    assert "hush" not in str(refused.value)


def test_a_list_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNWOOD_X", "a.example, ,b.example,")
    assert env.env_list("RUNWOOD_X", ["*"]) == ["a.example", "b.example"]


def test_a_secret_by_file_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from the file\n")
    monkeypatch.setenv("RUNWOOD_X", "from the environment")
    monkeypatch.setenv("RUNWOOD_X_FILE", str(tmp_path / "secret"))
    assert env.env_secret("RUNWOOD_X") == "from the file"


def test_a_secret_file_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RUNWOOD_X_FILE", str(tmp_path / "nowhere"))
    with pytest.raises(ImproperlyConfigured, match="RUNWOOD_X_FILE"):
        env.env_secret("RUNWOOD_X")


def test_the_signing_key_is_made_once_for_its_owner_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RUNWOOD_DATA_DIR", str(tmp_path / "data"))
    key = paths.secret_key()
    assert len(key) > 60
    assert paths.secret_key() == key
    assert (tmp_path / "data" / "secret_key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_a_long_data_folder_has_a_socket_that_fits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RUNWOOD_DATA_DIR", str(tmp_path / ("long" * 30)))
    assert len(str(paths.socket_dir() / ".s.PGSQL.5432")) <= 107
    assert paths.socket_dir() == paths.socket_dir()


def test_a_command_without_its_database_says_where_it_looked(tmp_path: Path) -> None:
    command = [sys.executable, "manage.py", "create_api_key", "app"]
    environment = os.environ | {"RUNWOOD_DATA_DIR": str(tmp_path), "DATABASE_URL": ""}
    said = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert said.returncode == 1
    assert f"RUNWOOD_DATA_DIR, which is {tmp_path}" in said.stderr
    assert "Traceback" not in said.stderr
