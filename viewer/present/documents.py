"""Documents that a retriever found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SCORE_KEYS = (
    "score",
    "relevance_score",
    "_score",
    "similarity",
    "similarity_score",
    "rerank_score",
)
TITLE_KEYS = ("title", "source", "file_name", "filename", "file_path", "path", "url", "name")
TEXT_KEYS = ("page_content", "pageContent", "content", "text")


@dataclass(frozen=True, slots=True)
class Document:
    """One document. `score` is what the store said: often 0 to 1, but any number may come."""

    text: str
    title: str = ""
    score: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""


def parse_documents(value: Any) -> list[Document] | None:
    """Return the documents of a list in which every item is one, else None."""
    if not isinstance(value, list) or not value:
        return None
    documents = []
    for item in value:
        document = parse_document(item)
        if document is None:
            return None
        documents.append(document)
    return documents


def parse_document(value: Any) -> Document | None:
    """Return the document that `value` is: LangChain's, flat or constructor, or a pair with its score."""
    if isinstance(value, list) and len(value) == 2 and isinstance(value[1], (int, float)):
        document = parse_document(value[0])
        return document and Document(
            document.text, document.title, float(value[1]), document.metadata, document.id
        )
    if not isinstance(value, dict):
        return None
    if value.get("type") == "constructor":
        path, kwargs = value.get("id"), value.get("kwargs")
        is_document = isinstance(path, list) and path and path[-1] == "Document"
        return (
            parse_document({"type": "Document", **kwargs})
            if is_document and isinstance(kwargs, dict)
            else None
        )
    inner = value.get("document")
    if isinstance(inner, dict) and "content" in inner:  # OpenInference
        value = {"type": "Document", **inner}
    return _build(value)


def _build(value: Mapping[str, Any]) -> Document | None:
    named = value.get("type") == "Document" or "page_content" in value or "pageContent" in value
    key = next((key for key in TEXT_KEYS if isinstance(value.get(key), str)), None)
    if not named or key is None:
        return None
    metadata = value.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    score = next(
        (score for score in map(_number, (*_found(value), *_found(metadata))) if score is not None),
        None,
    )
    title_key = next(
        (name for name in TITLE_KEYS if isinstance(metadata.get(name), str) and metadata[name]), ""
    )
    shown = {
        name: item
        for name, item in metadata.items()
        if name not in SCORE_KEYS and name != title_key
    }
    identity = value.get("id")
    return Document(
        text=value[key],
        title=metadata.get(title_key, ""),
        score=score,
        metadata=shown,
        id=identity if isinstance(identity, str) else "",
    )


def _found(holder: Mapping[str, Any]) -> list[Any]:
    return [holder[key] for key in SCORE_KEYS if key in holder]


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
