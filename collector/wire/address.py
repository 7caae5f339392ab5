"""The address that LangSmith's SDKs send in place of a project where LANGSMITH_AGENT_ID is set."""

from __future__ import annotations

import re
from typing import NamedTuple

_AGENT = re.compile(r"lrn:agents/([^/]+)/environments/([^/]+)")


class AgentAddress(NamedTuple):
    """An agent, and where it runs."""

    agent_id: str
    environment: str


def parse_address(address: str) -> AgentAddress | None:
    """Return what `lrn:agents/ID/environments/ENVIRONMENT` says; None for text of another form."""
    match = _AGENT.fullmatch(address)
    return None if match is None else AgentAddress(match[1], match[2])


def project_name(address: str) -> str | None:
    """Return the name of the project that stands for an agent in an environment; None for other text."""
    agent = parse_address(address)
    return None if agent is None else f"{agent.agent_id}/{agent.environment}"


def named_project(session_name: str | None, address: str | None) -> str | None:
    """Return the name of the project that a run or a judgement asks for, if it names one.

    An address of a form that nobody knows yet is a name like any other: its runs stay together.
    """
    if session_name or not address:
        return session_name
    return project_name(address) or address
