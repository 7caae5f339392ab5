from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.wire.address import named_project, parse_address, project_name

words = st.text(st.characters(exclude_characters="/"), min_size=1, max_size=20)


@given(words, words)
def test_an_agents_address_is_the_project_of_its_environment(agent: str, environment: str) -> None:
    address = f"lrn:agents/{agent}/environments/{environment}"
    assert parse_address(address) == (agent, environment)
    assert project_name(address) == f"{agent}/{environment}"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "support",
        "lrn:agents/support",
        "lrn:agents//environments/prod",
        "lrn:agents/support/environments/",
        "lrn:agents/support/environments/prod/more",
        " lrn:agents/support/environments/prod",
    ],
)
def test_other_text_is_no_address(address: str) -> None:
    assert parse_address(address) is None
    assert project_name(address) is None


@pytest.mark.parametrize(
    ("session_name", "address", "project"),
    [
        ("named", "lrn:agents/support/environments/prod", "named"),
        (None, "lrn:agents/support/environments/prod", "support/prod"),
        ("", "lrn:agents/support/environments/prod", "support/prod"),
        (None, "elsewhere", "elsewhere"),
        (None, None, None),
        (None, "", None),
    ],
)
def test_a_name_comes_before_an_address(
    session_name: str | None, address: str | None, project: str | None
) -> None:
    assert named_project(session_name, address) == project
