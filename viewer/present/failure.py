"""An error text, taken apart: what was raised, and where, with the frames of libraries folded.

Understands what LangChain and LangSmith send for Python (a repr, then a traceback) and stacks of
JavaScript. Anything else is one message.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

MAX_ERROR_CHARS = 60_000
MAX_FRAMES = 150
MARK = "Traceback (most recent call last):"

_PYTHON_FRAME = re.compile(
    r'\s*File "(?P<path>.+?)", line (?P<line>\d+)(?:, in (?P<function>.+))?$'
)
_JS_FRAME = re.compile(
    r"\s*at (?:(?:async )?(?P<function>[^()]+?) \()?(?P<path>[^()]+?):(?P<line>\d+):\d+\)?$"
)
_RAISED = re.compile(r"(?P<type>[A-Za-z_][\w.]*)(?:: (?P<message>.*)|:?)$", re.DOTALL)
_REPR = re.compile(r"(?P<type>[A-Za-z_][\w.]*)\((?P<message>.*)\)$", re.DOTALL)
_LIBRARY = re.compile(
    r"(?:site-packages|dist-packages|node_modules)[/\\](?P<package>@[^/\\]+[/\\][^/\\]+|[^/\\]+)"
)
_STANDARD = re.compile(
    r"[/\\]python\d(?:\.\d+)?[/\\](?P<module>[^/\\]+)|<frozen (?P<frozen>[^>]+)>|^node:(?P<node>\w+)"
)
_INTERRUPT = re.compile(
    r"Interrupt\(value=(?P<value>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\{[^{}]*\}|[^,()]+)"
)
_UNDERLINE = re.compile(r"\s*[\^~]+\s*$")


@dataclass(frozen=True, slots=True)
class Frame:
    """One place in the code. `package` is "" for the user's own."""

    path: str
    line: str
    function: str
    code: str
    package: str

    @property
    def short_path(self) -> str:
        """Return the last three parts of the path: enough to know the file."""
        parts = re.split(r"[/\\]", self.path)
        return "/".join(parts[-3:])


@dataclass(frozen=True, slots=True)
class LibraryFrames:
    """Neighbouring frames in code that is not the user's."""

    frames: tuple[Frame, ...]
    packages: str


@dataclass(frozen=True, slots=True)
class Joint:
    """Between two tracebacks: what was raised first, and how the next one came of it."""

    text: str


Part = Frame | LibraryFrames | Joint


@dataclass(frozen=True, slots=True)
class Failure:
    """`type` and `message` of what was raised at last; `parts` of the traceback, oldest call first."""

    type: str
    message: str
    parts: tuple[Part, ...]
    text: str
    omitted_chars: int

    @property
    def summary(self) -> str:
        return (
            f"{self.type}: {self.message}"
            if self.type and self.message
            else self.type or self.message
        )


def parse_failure(error: str) -> Failure:
    """Return the parts of an error text."""
    text = error[-MAX_ERROR_CHARS:] if MARK in error[-MAX_ERROR_CHARS:] else error[:MAX_ERROR_CHARS]
    head, mark, trace = text.partition(MARK)
    if mark:
        parts, rest = _read_python(trace)
        kind, message = _read_raised(rest) or _read_raised(head) or ("", rest or head.strip())
    else:
        lines = text.split("\n")
        first = next(
            (index for index, line in enumerate(lines) if _JS_FRAME.match(line)), len(lines)
        )
        head = "\n".join(lines[:first])
        parts = [frame for frame in map(_js_frame, lines[first:]) if frame]
        kind, message = _read_raised(head) or ("", head.strip())
    return Failure(kind, message, tuple(_fold(parts[:MAX_FRAMES])), text, len(error) - len(text))


def parse_interrupt(error: str) -> Failure:
    """Return what a graph asks while it waits: the values of its interrupts, else the text as it is."""
    failure = parse_failure(error)
    asked = [
        _literal(found["value"]) for found in _INTERRUPT.finditer(failure.text[:MAX_ERROR_CHARS])
    ]
    return replace(failure, type="It asks", message="\n".join(asked)) if asked else failure


def _literal(text: str) -> str:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return value if isinstance(value, str) else text


def first_words(error: str) -> str:
    """Return the start of an error for one line: what was raised, without its traceback."""
    return error.partition(MARK)[0] or error


def _read_python(trace: str) -> tuple[list[Frame | Joint], str]:
    """Return the frames and joints of one or more chained tracebacks, and what stands behind them."""
    parts: list[Frame | Joint] = []
    behind: list[str] = []  # lines since the last frame that belong to none
    for line in trace.split("\n"):
        found = _PYTHON_FRAME.match(line)
        if found:
            parts.append(_python_frame(found))
            behind = []
        elif line.strip() == MARK:
            parts.append(Joint("\n".join(behind).strip()))
            behind = []
        elif parts and not behind and line.startswith("    ") and _takes_code(parts[-1]):
            parts[-1] = _with_code(parts[-1], line)
        elif not _UNDERLINE.match(line) and (behind or line.strip()):
            behind.append(line)
    return parts, "\n".join(behind).strip()


def _python_frame(found: re.Match[str]) -> Frame:
    path = found["path"]
    return Frame(path, found["line"], (found["function"] or "").strip(), "", _package_of(path))


def _takes_code(part: Frame | Joint) -> bool:
    return isinstance(part, Frame) and part.code.count("\n") < 8


def _with_code(part: Frame | Joint, line: str) -> Frame | Joint:
    if _UNDERLINE.match(line) or not isinstance(part, Frame):
        return part
    code = f"{part.code}\n{line.strip()}" if part.code else line.strip()
    return Frame(part.path, part.line, part.function, code, part.package)


def _js_frame(line: str) -> Frame | None:
    found = _JS_FRAME.match(line)
    if not found:
        return None
    path = found["path"].removeprefix("file://")
    return Frame(path, found["line"], (found["function"] or "").strip(), "", _package_of(path))


def _package_of(path: str) -> str:
    found = _LIBRARY.search(path)
    if found:
        return found["package"].removesuffix(".py")
    found = _STANDARD.search(path)
    return (
        (found["module"] or found["frozen"] or found["node"]).removesuffix(".py") if found else ""
    )


def _read_raised(text: str) -> tuple[str, str] | None:
    """`ValueError: no such thing`, or the repr `ValueError('no such thing')`."""
    text = text.strip()
    found = _REPR.match(text)
    if found:
        return found["type"].rpartition(".")[2], _unquote(found["message"])
    found = _RAISED.match(text)
    if not found:
        return None
    return found["type"].rpartition(".")[2], (found["message"] or "").strip()


def _unquote(text: str) -> str:
    text = text.strip().removesuffix(",")
    quoted = len(text) > 1 and text[0] in "'\"" and text[-1] == text[0]
    return text[1:-1].replace("\\n", "\n").replace("\\'", "'") if quoted else text


def _fold(parts: Iterable[Frame | Joint]) -> Iterator[Part]:
    """Put library frames together; where no frame is the user's own, the last one stays in sight."""
    listed = list(parts)
    has_own = any(isinstance(part, Frame) and not part.package for part in listed)
    last = next((part for part in reversed(listed) if isinstance(part, Frame)), None)
    foreign: list[Frame] = []
    for part in listed:
        if isinstance(part, Frame) and part.package and (has_own or part is not last):
            foreign.append(part)
            continue
        if foreign:
            yield _library_frames(foreign)
            foreign = []
        yield part
    if foreign:
        yield _library_frames(foreign)


def _library_frames(frames: list[Frame]) -> LibraryFrames:
    packages = list(dict.fromkeys(frame.package for frame in frames))
    words = ", ".join(packages[:3]) + (
        f" and {len(packages) - 3} more" if len(packages) > 3 else ""
    )
    return LibraryFrames(tuple(frames), words)
