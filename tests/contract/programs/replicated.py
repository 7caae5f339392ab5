"""A user's program: the same runs go to two projects. Arguments: the second project, or none if the environment says it."""

from __future__ import annotations

import sys

from langsmith import traceable, tracing_context


@traceable(run_type="tool")
def add(a: int, b: int) -> int:
    return a + b


@traceable
def work(a: int) -> int:
    return add(a, 1)


if len(sys.argv) > 1:
    first, second = sys.argv[1:]
    with tracing_context(
        replicas=[{"project_name": first}, {"project_name": second, "updates": {"tags": ["copy"]}}]
    ):
        work(1)
else:
    work(1)
