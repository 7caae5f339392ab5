"""Why a request, or one run of it, cannot be taken.

    WireError
    ├── BodyError              nothing of the body can be used
    │   ├── EmptyBody
    │   ├── TruncatedBody        shorter than it said, or its compression ends early
    │   ├── UnsupportedEncoding
    │   ├── CorruptEncoding
    │   ├── MalformedJson
    │   ├── MalformedMultipart
    │   ├── MalformedProtobuf
    │   ├── UnsupportedMediaType
    │   ├── WrongShape           well-formed JSON, but no request of ours
    │   └── TooLarge             over a limit: bytes, runs, parts or JSON values
    └── ItemError                  one run, feedback or attachment; its siblings are kept
        ├── MalformedItem
        ├── InvalidField
        ├── InvalidDottedOrder   (dotted_order.py)
        └── ItemTooLarge

Every class carries a `code` for programs; the message is for people and never repeats payload text.
"""

from __future__ import annotations

from typing import ClassVar


class WireError(Exception):
    """The request cannot be read."""

    code: ClassVar[str] = "invalid"

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (self.__doc__ or "").strip().splitlines()[0])

    @property
    def reason(self) -> str:
        return str(self.args[0])


class BodyError(WireError):
    """The body cannot be used."""


class EmptyBody(BodyError):
    """The body is empty: nothing was stored."""

    code = "empty_body"


class TruncatedBody(BodyError):
    """The body ends before its stated length."""

    code = "truncated_body"


class UnsupportedEncoding(BodyError):
    """Content-Encoding must be gzip, zstd or identity."""

    code = "unsupported_encoding"


class CorruptEncoding(BodyError):
    """The compressed body cannot be decompressed."""

    code = "corrupt_encoding"


class MalformedJson(BodyError):
    """The body is not valid JSON."""

    code = "malformed_json"


class MalformedMultipart(BodyError):
    """The body is not valid multipart/form-data."""

    code = "malformed_multipart"


class MalformedProtobuf(BodyError):
    """The body is no protobuf ExportTraceServiceRequest."""

    code = "malformed_protobuf"


class UnsupportedMediaType(BodyError):
    """Content-Type must be application/x-protobuf or application/json."""

    code = "unsupported_media_type"


class WrongShape(BodyError):
    """The body is valid JSON, but not a request that this endpoint takes."""

    code = "wrong_shape"


class TooLarge(BodyError):
    """The request is larger than a limit allows."""

    code = "too_large"

    def __init__(self, what: str, limit: int, setting: str = "") -> None:
        moved_by = f" (setting {setting})" if setting else ""
        super().__init__(f"The request has more than {limit:,} {what}{moved_by}.")
        self.limit = limit


class ItemError(WireError):
    """One item of the request cannot be stored."""

    code = "invalid_run"


class MalformedItem(ItemError):
    """It is not valid JSON."""

    code = "malformed_json"


class InvalidField(ItemError):
    """A field has a value that cannot be stored."""

    code = "invalid_field"

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field


class ItemTooLarge(ItemError):
    """One item is larger than a limit allows."""

    code = "item_too_large"

    def __init__(self, what: str, size: int, limit: int) -> None:
        super().__init__(f"{what} has {size:,} bytes; the limit is {limit:,}.")
