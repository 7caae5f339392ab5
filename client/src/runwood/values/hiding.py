"""What an app's own rules leave of a payload: `hide_inputs`, `hide_outputs`, `redact`.

They are applied to the copy, in the event, so nothing that they take away is ever in the queue. A rule that
raises takes its value with it: what cannot be judged is not recorded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from runwood.log import warn
from runwood.values.convert import MASK, kind_name

# What to do with a payload: record it (False), leave it out (True), or record what a callable returns.
Hide = bool | Callable[[Any], Any]
# A pattern's matches are masked; a callable gets each string and returns what is recorded in its place.
Redact = str | re.Pattern[str] | Callable[[str], str]
Rule = Callable[[str], str]


def compile_rules(redact: Redact | Iterable[Redact]) -> tuple[Rule, ...]:
    """Return one function of a string for each pattern or callable.

    Raises:
        ValueError: a string that is no regular expression.
    """
    if isinstance(redact, (str, re.Pattern)) or callable(redact):
        redact = (redact,)
    return tuple(_compile(rule) for rule in redact)


def _compile(rule: Redact) -> Rule:
    if callable(rule):
        return rule
    try:
        pattern = re.compile(rule)
    except re.error as error:
        msg = f"redact: {rule!r} is not a regular expression: {error}"
        raise ValueError(msg) from None
    return lambda text: pattern.sub(MASK, text)


def redact_text(text: str, rules: tuple[Rule, ...]) -> str:
    """Return what the rules leave of a string."""
    for rule in rules:
        try:
            left: Any = rule(text)
        except Exception as error:  # noqa: BLE001  the app's own rule
            warn("redact", "redact: %s raised %r, and its text is masked", _name(rule), error)
            return MASK
        if not isinstance(left, str):
            warn("redact", "redact: %s returned no text, and its text is masked", _name(rule))
            return MASK
        text = left
    return text


def _name(rule: Rule) -> str:
    return str(getattr(rule, "__name__", type(rule).__name__))


def redact_value(value: Any, rules: tuple[Rule, ...]) -> Any:
    """Return a copied value with every string in it, keys included, as the rules leave it."""
    if not rules:
        return value
    kind = type(value)
    if kind is dict:
        return {redact_text(key, rules): redact_value(item, rules) for key, item in value.items()}
    if kind is list:
        return [redact_value(item, rules) for item in value]
    if isinstance(value, str):
        return redact_text(str.__str__(value), rules)
    return value


def hide_payload(payload: Any, hide: Hide, recopy: Callable[[Any], Any]) -> Any:
    """Return what is recorded of a payload: `recopy` copies what a callable returns."""
    if hide is True:
        return {}
    if not callable(hide):
        return payload
    try:
        shown = recopy(hide(payload))
    except Exception as error:  # noqa: BLE001  the app's own rule
        return {"runwood": f"hidden: its rule raised {kind_name(type(error))}"}
    return shown if isinstance(shown, dict) else {"value": shown}
