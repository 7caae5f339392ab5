"""A user's program: runs with files, in memory and on disk."""

from __future__ import annotations

import sys
from pathlib import Path

from langsmith import RunTree, traceable
from langsmith.schemas import Attachment

# Holds what looks like the boundary of a request.
PICTURE = b"\x89PNG\r\n--0123456789abcdef0123456789abcdef\r\n" + bytes(range(256)) * 300


@traceable(dangerously_allow_filesystem=True)
def look(question: str, picture: Attachment, notes: Attachment) -> str:
    return question


look(
    "what is it?",
    picture=Attachment("image/png", PICTURE),
    notes=Attachment("text/plain", Path(sys.argv[1])),
)
run = RunTree(
    name="by hand", inputs={"a": 1}, attachments={"mail": ("text/html", b"<script>1</script>")}
)
run.post()
run.end(outputs={"b": 2})
run.patch()
