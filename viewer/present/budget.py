"""How much of a page a run may fill: a 10 MB string or 5,000 keys must not make a page of 10 MB."""

from __future__ import annotations

from dataclasses import dataclass

PAGE_CHARS = 400_000
PAGE_MARKDOWN_CHARS = 80_000
PAGE_JSON_NODES = 4_000
PAGE_IMAGE_CHARS = 8 << 20


@dataclass(slots=True)
class Budget:
    """What is left. One for each run pane; everything that writes takes from it."""

    chars: int = PAGE_CHARS
    markdown_chars: int = PAGE_MARKDOWN_CHARS
    json_nodes: int = PAGE_JSON_NODES
    image_chars: int = PAGE_IMAGE_CHARS
    omissions: int = 0  # how often something was left out

    def take_chars(self, wanted: int) -> int:
        """Return how many characters may be written, and count them."""
        granted = max(0, min(wanted, self.chars))
        self.chars -= granted
        return granted

    def take_markdown(self, wanted: int) -> bool:
        """Whether a text of this length may be parsed as Markdown; counts it if so."""
        if wanted > self.markdown_chars:
            return False
        self.markdown_chars -= wanted
        return True

    def take_nodes(self, wanted: int = 1) -> bool:
        """Whether so many more values of JSON may be written; counts them if so."""
        if wanted > self.json_nodes:
            return False
        self.json_nodes -= wanted
        return True

    def take_image(self, wanted: int) -> bool:
        """Whether a picture of this length may be put into the page; counts it if so."""
        if wanted > self.image_chars:
            return False
        self.image_chars -= wanted
        return True
