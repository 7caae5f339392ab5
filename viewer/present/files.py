"""The files of a run: pictures are shown, all else can be downloaded."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from collector.reads.types import AttachmentSummary

# Raster images: no picture format that may hold a script. The server sends all others as downloads.
IMAGE_TYPES = frozenset(
    {"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp"}
)


@dataclass(frozen=True, slots=True)
class FileView:
    """One file and the address at which it is, for an hour."""

    name: str
    mime_type: str
    size_bytes: int
    url: str
    is_image: bool


def view_files(
    files: Iterable[AttachmentSummary], url_of: Callable[[str], str]
) -> tuple[FileView, ...]:
    """Return the files, each with the address that `url_of` gives for its name."""
    return tuple(
        FileView(
            name=file.name,
            mime_type=file.mime_type,
            size_bytes=file.size_bytes,
            url=url_of(file.name),
            is_image=file.mime_type.partition(";")[0].strip().lower() in IMAGE_TYPES,
        )
        for file in files
    )
