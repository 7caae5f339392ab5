"""The handler for where there is no server: everything goes to a file, and `runwood push` sends it later."""

from __future__ import annotations

import os
from typing import Any

from runwood.handler import RunwoodCallbackHandler


class RunwoodFileHandler(RunwoodCallbackHandler):
    """Records every run of an app in a file, as JSON lines.

    Args:
        path: the file; it is added to, and made for its owner's eyes only.
        settings: what `RunwoodCallbackHandler` takes, but for `endpoint` and `api_key`.

    Writing is a thread's, as sending is; `flush` waits until all is on the disk. Handlers of one file share
    its thread.
    """

    def __init__(self, path: str | os.PathLike[str], **settings: Any) -> None:
        super().__init__(_path=os.path.abspath(path), **settings)  # noqa: PTH100  of bytes and str alike

    def __repr__(self) -> str:
        """Return the path and the project."""
        return f"RunwoodFileHandler({self.config.path!r}, project={self.config.project!r})"
