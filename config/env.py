"""Strict readers of environment variables: a value that cannot be meant stops the start.

Every reader names the variable in its error. A secret may also be given by file: `NAME_FILE`.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off", ""}


def env_str(name: str, default: str) -> str:
    return os.environ.get(name, default).strip()


def env_bool(name: str, *, default: bool) -> bool:
    value = os.environ.get(name)
    if value is None:
        return default
    if value.strip().lower() in TRUE:
        return True
    if value.strip().lower() in FALSE:
        return False
    raise ImproperlyConfigured(f"{name} is {value!r}: use true or false")


def env_choice(name: str, default: str, choices: Collection[str]) -> str:
    """Return one of `choices`, which are in upper case; the value may be in any."""
    value = os.environ.get(name, "").strip().upper() or default
    if value not in choices:
        raise ImproperlyConfigured(f"{name} is {value!r}: use one of {', '.join(choices)}")
    return value


def env_int(name: str, default: int, *, minimum: int = 0, maximum: int = 2**63 - 1) -> int:
    value = os.environ.get(name, "").strip()
    if not value:
        return default
    try:
        number = int(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} is {value!r}: use a whole number") from error
    if number < minimum:
        raise ImproperlyConfigured(f"{name} is {number}: it must be at least {minimum}")
    if number > maximum:
        raise ImproperlyConfigured(f"{name} is {number}: it must be at most {maximum}")
    return number


def env_list(name: str, default: list[str]) -> list[str]:
    value = os.environ.get(name)
    if value is None:
        return default
    return [item.strip() for item in value.split(",") if item.strip()]


def env_secret(name: str) -> str | None:
    """Return the secret from `NAME`, else from the file that `NAME_FILE` names, else None."""
    path = os.environ.get(f"{name}_FILE")
    if path:
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ImproperlyConfigured(f"{name}_FILE cannot be read: {error}") from error
    return os.environ.get(name) or None
