"""All questions in their order. One that makes no sense after another's answer is skipped, and says so."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from runwood.command.doctor.finding import Finding, hide_secrets
from runwood.command.doctor.installation import look_at_packages, look_at_spool
from runwood.command.doctor.settings import Settings
from runwood.command.doctor.trial import send_and_read_back
from runwood.command.doctor.variables import find_misspelt, find_odd_switches, look_at_tracing
from runwood.command.doctor.visit import Visit, explain_failure
from runwood.config import Config


class Question(NamedTuple):
    """One question to the server, and the findings without which it makes no sense."""

    about: str
    needs: tuple[str, ...]
    ask: Callable[[Visit], Finding]


QUESTIONS = (
    Question("name", ("endpoint",), Visit.name),
    Question("connection", ("name",), Visit.connection),
    Question("server", ("connection",), Visit.server),
    Question("clock", ("server",), Visit.clock),
    Question("key", ("server", "api key"), Visit.key),
    Question("test trace", ("key",), send_and_read_back),
)


def examine(given: Mapping[str, str | None]) -> Iterator[Finding]:
    """Yield what is found, as it is found; `given` is what the command line said of endpoint, api_key and project."""
    config: Config | None = None
    try:
        config = Config.resolve(
            endpoint=given["endpoint"], api_key=given["api_key"], project=given["project"]
        )
        found = list(Settings(config, given).findings())
    except ValueError as error:
        found = [Finding("wrong", "settings", str(error))]
    key = config.api_key if config else given["api_key"] or ""
    found += [*find_misspelt(), *find_odd_switches(), look_at_tracing(), *look_at_packages()]
    if config:
        found += look_at_spool(config)
    for finding in found:
        yield _shown(finding, key)
    is_good = {finding.about: finding.verdict in ("ok", "note") for finding in found}
    for finding in _answers(config, is_good):
        yield _shown(finding, key)


def _answers(config: Config | None, is_good: dict[str, bool]) -> Iterator[Finding]:
    """Yield the answers of the server that the settings name."""
    visit = Visit(config) if config and is_good["endpoint"] else None
    for question in QUESTIONS:
        missing = [name for name in question.needs if not is_good.get(name)]
        if missing or visit is None:
            words = f"not asked, as this comes first: {', '.join(missing) or 'settings'}"
            finding = Finding("skipped", question.about, words)
        else:
            finding = _ask(question, visit)
        is_good[question.about] = finding.verdict in ("ok", "note")
        yield finding
    if visit:
        visit.close()


def _ask(question: Question, visit: Visit) -> Finding:
    try:
        return question.ask(visit)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Finding("wrong", question.about, explain_failure(error, visit.address))


def _shown(finding: Finding, key: str) -> Finding:
    return finding._replace(
        about=hide_secrets(finding.about, key), said=hide_secrets(finding.said, key)
    )
