"""Error texts taken apart."""

from __future__ import annotations

import pytest

from viewer.present.failure import (
    MAX_ERROR_CHARS,
    Frame,
    Joint,
    LibraryFrames,
    parse_failure,
    parse_interrupt,
)

LANGCHAIN = """ValueError('no such thing')Traceback (most recent call last):


  File "/app/.venv/lib/python3.12/site-packages/langchain_core/tools/base.py", line 1099, in run
    response = context.run(self._run)
               ^^^^^^^^^^^^^^^^^^^^^^


  File "/usr/lib/python3.12/asyncio/tasks.py", line 520, in wait_for
    return await fut


  File "/app/support/orders.py", line 48, in lookup
    order = get(
      order_id)


ValueError: no such thing
in two lines"""

CHAINED = """Traceback (most recent call last):
  File "a.py", line 1, in f
    x
KeyError: 'q'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "b.py", line 2, in g
    y
support.errors.OrderError: boom"""

NODE = """TypeError: x is not a function
    at look (/app/src/orders.ts:3:9)
    at async Sequence.run (file:///app/node_modules/@langchain/core/dist/base.js:1:2)
    at node:internal/main:1:2"""


def test_a_traceback_of_python_folds_the_frames_of_libraries() -> None:
    failure = parse_failure(LANGCHAIN)
    assert (failure.type, failure.message) == ("ValueError", "no such thing\nin two lines")
    folded, own = failure.parts
    assert isinstance(folded, LibraryFrames)
    assert (len(folded.frames), folded.packages) == (2, "langchain_core, asyncio")
    assert own == Frame("/app/support/orders.py", "48", "lookup", "order = get(\norder_id)", "")


def test_chained_tracebacks_say_what_led_to_what() -> None:
    failure = parse_failure(CHAINED)
    assert (failure.type, failure.message) == ("OrderError", "boom")
    assert failure.parts == (
        Frame("a.py", "1", "f", "x", ""),
        Joint(
            "KeyError: 'q'\n\nThe above exception was the direct cause of the following exception:"
        ),
        Frame("b.py", "2", "g", "y", ""),
    )


def test_a_stack_of_javascript_is_read_too() -> None:
    failure = parse_failure(NODE)
    assert (failure.type, failure.message) == ("TypeError", "x is not a function")
    own, folded = failure.parts
    assert own == Frame("/app/src/orders.ts", "3", "look", "", "")
    assert isinstance(folded, LibraryFrames)
    assert folded.packages == "@langchain/core, internal"


def test_where_no_frame_is_the_users_own_the_last_one_stays_in_sight() -> None:
    text = 'Traceback (most recent call last):\n  File "/x/site-packages/a/b.py", line 1, in f\n  File "/x/site-packages/c/d.py", line 2, in g\nE: x'
    folded, last = parse_failure(text).parts
    assert isinstance(folded, LibraryFrames)
    assert isinstance(last, Frame)
    assert last.package == "c"


PLAIN = {
    "repr": ("KeyError('x')", "KeyError", "x"),
    "interrupt": (
        "GraphInterrupt((Interrupt(value='Go on?'),))",
        "GraphInterrupt",
        "(Interrupt(value='Go on?'),)",
    ),
    "dotted": ("openai.RateLimitError: Error code: 429", "RateLimitError", "Error code: 429"),
    "words": ("the server said no", "", "the server said no"),
    "empty call": ("ValueError()", "ValueError", ""),
    "nothing": ("", "", ""),
}


@pytest.mark.parametrize(("text", "kind", "message"), PLAIN.values(), ids=PLAIN)
def test_a_plain_error_is_its_type_and_message(text: str, kind: str, message: str) -> None:
    failure = parse_failure(text)
    assert (failure.type, failure.message, failure.parts) == (kind, message, ())


def test_of_a_huge_error_the_end_is_kept_where_the_traceback_is() -> None:
    failure = parse_failure("x" * 500_000 + CHAINED)
    assert failure.type == "OrderError"
    assert failure.omitted_chars == 500_000 + len(CHAINED) - MAX_ERROR_CHARS


ASKED = {
    "text": ("GraphInterrupt((Interrupt(value='Shall I?', id='1'),))", "Shall I?"),
    "quotes": (
        'GraphInterrupt((Interrupt(value="It\'s 64, go on?", resumable=True),))',
        "It's 64, go on?",
    ),
    "two": ("(Interrupt(value='One?'), Interrupt(value='Two?'))", "One?\nTwo?"),
    "object": ("GraphInterrupt((Interrupt(value={'ask': 'x'}, id='1'),))", "{'ask': 'x'}"),
}


@pytest.mark.parametrize(("text", "question"), ASKED.values(), ids=ASKED)
def test_an_interrupt_says_what_it_asks(text: str, question: str) -> None:
    failure = parse_interrupt(text)
    assert (failure.type, failure.message) == ("It asks", question)
