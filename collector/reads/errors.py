"""Errors of the read side.

ReadError
├── BadCursor         a cursor that was not made here, or for another list
├── ReadTimeout       the database took too long
└── TooManyStreams    this process serves as many live streams as it may
    └── TooManyOfKey  … of this API key
"""

from __future__ import annotations


class ReadError(Exception):
    """Stored data could not be read."""


class BadCursor(ReadError):
    """The cursor was not made by this list."""


class ReadTimeout(ReadError):
    """Reading took too long. A narrower time range or filter takes less."""


class TooManyStreams(ReadError):
    """This process serves as many live streams as it may."""


class TooManyOfKey(TooManyStreams):
    """This process serves as many streams of this API key as it may."""
