"""What becomes of a value that is not JSON already, decided once per class.

Follows the forms of LangSmith's serializer (langsmith 0.15 `_internal/_serde.py`), so that a trace
reads the same whichever of the two sent it: models as their fields without absent ones, sets as
lists, times as ISO text. It differs where that one would raise, run the app's code, or drop words.
"""

from __future__ import annotations

import base64
import collections
import dataclasses
import datetime
import decimal
import enum
import ipaddress
import math
import pathlib
import re
import types
import uuid
from collections.abc import Callable, Iterator, Mapping, Set
from itertools import islice
from typing import TYPE_CHECKING, Any

from langchain_core.messages.base import TextAccessor
from pydantic import BaseModel, SecretBytes, SecretStr

if TYPE_CHECKING:
    from runwood.values.snapshot import Snapshot

Converter = Callable[["Snapshot", Any, int], Any]

MAX_ITEMS = 10_000  # of one list or dict
MAX_KEY = 1000
MAX_REPR = 2000
MAX_BASE64 = 4096  # bytes that are shown whole; of more only the head
MASK = "**********"  # what pydantic shows for a secret
MAX_ARRAY = 1000  # values of an array or table that is shown whole
_ADDRESS = re.compile(
    r" at 0x[0-9a-fA-F]{4,16}"
)  # it says nothing, and is another in every process
_MAX_CLASSES = 2048  # apps that make classes as they run must not fill the table

converters: dict[type, Converter] = {}


def converter_for(kind: type) -> Converter:
    """Return how values of this class are copied. A look-up once the class was seen."""
    converter = converters.get(kind)
    if converter is None:
        if len(converters) >= _MAX_CLASSES:
            converters.clear()
        converter = converters[kind] = _choose(kind)
    return converter


def kind_name(kind: type) -> str:
    """Return the bare name of a class."""
    return str(type.__getattribute__(kind, "__name__"))


def key_text(key: Any, taken: Mapping[str, Any]) -> str:
    """Return a key as JSON would write it, cut where it is long, never one in use."""
    if key is None or isinstance(key, bool):
        text = {None: "null", True: "true", False: "false"}[key]
    elif isinstance(key, enum.Enum):
        text = str(key.value)
    elif isinstance(key, str):
        text = str.__str__(key)
    else:
        text = _safe(str, key)
    text = text[:MAX_KEY]
    while text in taken:
        text += "′"
    return text


def _choose(kind: type) -> Converter:
    if kind is TextAccessor:
        return _shared_string
    if any(base.__name__ == "LangSmithSecret" for base in kind.__mro__):
        return _masked
    for classes, converter in _BY_CLASS:
        if issubclass(kind, classes):
            return converter
    for is_meant, converter in _BY_LOOK:
        if is_meant(kind):
            return converter
    return _other


# --- Plain values and their subclasses ------------------------------------------------------------
def _string(walk: Snapshot, value: Any, _: int) -> Any:
    return walk.text(str.__str__(value))


def _shared_string(walk: Snapshot, value: Any, _: int) -> Any:
    """Share a text that can be nothing else: langchain-core hands the same to several events."""
    return walk.text(value)


def _masked(_: Snapshot, __: Any, ___: int) -> Any:
    """Hide a string that langsmith's own class calls a secret."""
    return MASK


def _enum(walk: Snapshot, value: Any, depth: int) -> Any:
    return walk.copy(value.value, depth + 1)


def _integer(walk: Snapshot, value: Any, depth: int) -> Any:
    return walk.copy(int.__int__(value), depth)


def _float(walk: Snapshot, value: Any, depth: int) -> Any:
    return walk.copy(float.__float__(value), depth)


def _moment(walk: Snapshot, value: Any, _: int) -> Any:
    return walk.text(value.isoformat())


def _duration(walk: Snapshot, value: Any, depth: int) -> Any:
    return walk.copy(value.total_seconds(), depth)


def _as_text(walk: Snapshot, value: Any, _: int) -> Any:
    return walk.text(str(value))


def _pattern(walk: Snapshot, value: Any, depth: int) -> Any:
    return walk.copy(value.pattern, depth)


def _bytes(walk: Snapshot, value: Any, _: int) -> Any:
    length = value.nbytes if isinstance(value, memoryview) else len(value)
    if length <= MAX_BASE64:
        return walk.text(base64.b64encode(value).decode("ascii"))
    head = base64.b64encode(bytes(value[:48])).decode("ascii")
    return walk.text(f"<{length:,} bytes, base64 {head}…>")


def _secret(walk: Snapshot, value: Any, _: int) -> Any:
    return walk.text(MASK if value.get_secret_value() else "")


# --- Containers -----------------------------------------------------------------------------------
def _named_tuple(walk: Snapshot, value: Any, depth: int) -> Any:
    fields = type(value)._fields
    return walk.mapping(value, zip(fields, value, strict=False), depth)


def _mapping(walk: Snapshot, value: Any, depth: int) -> Any:
    return walk.mapping(value, islice(value.items(), MAX_ITEMS), depth)


def _sequence(walk: Snapshot, value: Any, depth: int) -> Any:
    return walk.sequence(value, depth)


def _dataclass(walk: Snapshot, value: Any, depth: int) -> Any:
    fields = (
        (item.name, object.__getattribute__(value, item.name))
        for item in dataclasses.fields(value)
        if item.repr  # what a class hides from its own repr it hides from a trace
    )
    return walk.mapping(value, fields, depth)


def _model(walk: Snapshot, value: Any, depth: int) -> Any:
    """Copy a pydantic model by its fields, absent ones left out, as `exclude_none` does."""
    kind = type(value)
    needs_dump, hidden = _traits.get(kind) or _learn_traits(kind)
    if needs_dump:
        return walk.copy(value.model_dump(exclude_none=True), depth)
    fields = value.__dict__
    if hidden:
        fields = {name: item for name, item in fields.items() if name not in hidden}
    if value.__pydantic_extra__:
        fields = {**fields, **value.__pydantic_extra__}
    return walk.mapping(value, fields.items(), depth, skip_none=True)


# (whether the class says itself how it is written: then its word counts; the fields that it excludes)
_traits: dict[type, tuple[bool, frozenset[str]]] = {}


def _learn_traits(kind: type[BaseModel]) -> tuple[bool, frozenset[str]]:
    if len(_traits) >= _MAX_CLASSES:
        _traits.clear()
    own = kind.__pydantic_decorators__
    needs_dump = bool(own.field_serializers or own.model_serializers or own.computed_fields)
    hidden = frozenset(name for name, field in kind.model_fields.items() if field.exclude)
    traits = _traits[kind] = (needs_dump, hidden)
    return traits


def _old_model(walk: Snapshot, value: Any, depth: int) -> Any:
    return walk.mapping(value, list(value.__dict__.items()), depth, skip_none=True)


# --- Things of Python and of numeric libraries ----------------------------------------------------
def _exception(walk: Snapshot, value: Any, depth: int) -> Any:
    fields = [("error", kind_name(type(value))), ("message", _safe(str, value))]
    return walk.mapping(value, fields, depth)


def _named(walk: Snapshot, value: Any, _: int) -> Any:
    """Name a class, function or module, without the address in its repr."""
    module = getattr(value, "__module__", None)
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", "?")
    where = f"{module}.{name}" if module else name
    return walk.text(f"<{kind_name(type(value))} {where}>")


def _unread(walk: Snapshot, value: Any, _: int) -> Any:
    """Name an iterator. Reading it would take its items from the app."""
    name = getattr(value, "__qualname__", "")
    return walk.text(f"<{kind_name(type(value))}{' ' if name else ''}{name}, not read>")


def _array(walk: Snapshot, value: Any, depth: int) -> Any:
    """Copy a small array or table; of a large one its shape and head. `tolist` makes all of it."""
    shape = tuple(getattr(value, "shape", ()))
    size = math.prod(int(length) for length in shape)
    to_list = getattr(value, "tolist", None)
    if callable(to_list) and size <= MAX_ARRAY:
        return walk.copy(to_list(), depth)
    fields: list[tuple[str, Any]] = [("type", kind_name(type(value))), ("shape", shape)]
    columns = getattr(value, "columns", None)
    if columns is not None:
        fields.append(("columns", [str(column) for column in list(columns)[:100]]))
        if size <= MAX_ARRAY:  # rows of polars, or of pandas
            rows = value.to_dicts() if hasattr(value, "to_dicts") else value.to_dict("records")
            fields.append(("rows", rows))
    elif callable(to_list):
        flat = value.reshape(-1) if hasattr(value, "reshape") else value
        fields.append(("dtype", str(getattr(value, "dtype", ""))))
        fields.append(("head", flat[:16].tolist()))
    return walk.mapping(value, fields, depth)


def _image(walk: Snapshot, value: Any, _: int) -> Any:
    """Name a picture of PIL by kind, mode and size: its pixels are the app's."""
    width, height = value.size
    return walk.text(f"<{kind_name(type(value))} {value.mode} {width}x{height}>")


def _other(walk: Snapshot, value: Any, _: int) -> Any:
    kind: Any = type(value)
    if kind.__repr__ is object.__repr__:  # it would only give an address
        return walk.text(f"<{kind.__module__}.{kind.__qualname__}>")
    return walk.text(_ADDRESS.sub("", walk.redactor.scrub(_safe(repr, value))))


def _safe(function: Callable[[Any], str], value: Any) -> str:
    try:
        text = function(value)
    except Exception as error:  # noqa: BLE001  it is the app's own code that raises here
        return f"<{kind_name(type(value))}, unreadable: {kind_name(type(error))}>"
    return text if len(text) <= MAX_REPR else f"{text[:MAX_REPR]}… [cut: {len(text):,} characters]"


def _is_array(kind: type) -> bool:
    home = kind.__module__.partition(".")[0]
    return home in ("numpy", "pandas", "polars", "torch", "jax", "jaxlib") and hasattr(
        kind, "shape"
    )


def _is_image(kind: type) -> bool:
    return any(base.__module__ == "PIL.Image" and base.__name__ == "Image" for base in kind.__mro__)


def _is_old_model(kind: type) -> bool:
    return any(base.__module__.startswith("pydantic.v1") for base in kind.__mro__)


_IP = (
    ipaddress.IPv4Address, ipaddress.IPv6Address, ipaddress.IPv4Network, ipaddress.IPv6Network,
)  # fmt: skip
_NAMED = (
    type, types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType,
)  # fmt: skip

# The first that fits, so the narrower come first.
_BY_CLASS: tuple[tuple[Any, Converter], ...] = (
    (enum.Enum, _enum),
    (str, _string),
    (int, _integer),
    (_NAMED, _named),
    ((SecretStr, SecretBytes), _secret),
    (BaseModel, _model),
    ((datetime.datetime, datetime.date, datetime.time), _moment),
    (datetime.timedelta, _duration),
    ((uuid.UUID, decimal.Decimal, pathlib.PurePath, datetime.tzinfo, complex, *_IP), _as_text),
    ((bytes, bytearray, memoryview), _bytes),
    (re.Pattern, _pattern),
    (BaseException, _exception),
)
_BY_LOOK: tuple[tuple[Callable[[type], bool], Converter], ...] = (
    (_is_array, _array),
    (_is_image, _image),
    (lambda kind: issubclass(kind, float), _float),
    (lambda kind: issubclass(kind, tuple) and hasattr(kind, "_fields"), _named_tuple),
    (lambda kind: issubclass(kind, Mapping), _mapping),
    (lambda kind: issubclass(kind, (list, tuple, Set, collections.deque)), _sequence),
    (lambda kind: issubclass(kind, Iterator) or hasattr(kind, "__anext__"), _unread),
    (dataclasses.is_dataclass, _dataclass),
    (_is_old_model, _old_model),
)
