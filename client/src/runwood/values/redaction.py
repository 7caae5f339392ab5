"""Which keys name a secret. Strings and structures under them never leave the process.

Judged by the name alone, in any spelling (`X-Api-Key`, `apiKey`, `OPENAI_API_KEY`). Secrets inside
running text are found by their looks: `runwood.values.secrets`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

REDACTED = "[redacted]"

# Endings of a key once it is lower case and bare of punctuation.
_SECRET_ENDINGS = (
    "apikey", "apisecret", "secret", "secretkey", "password", "passwd", "passphrase", "authorization",
    "privatekey", "accesskey", "signingkey", "encryptionkey", "credential", "credentials", "cookie",
    "token", "bearer", "connectionstring",
)  # fmt: skip
# Keys that end in "token" and mean a word of a model's vocabulary, or a page.
_HARMLESS_ENDINGS = (
    "eostoken", "bostoken", "padtoken", "unktoken", "septoken", "clstoken", "masktoken", "stoptoken",
    "endtoken", "starttoken", "newtoken", "firsttoken", "lasttoken", "nexttoken", "pagetoken",
    "pertoken", "maxtoken", "specialtoken", "continuationtoken",
)  # fmt: skip
# name='text' and 'name': "text", as reprs have them; a string that was cut ends with the text.
_ASSIGNMENT = re.compile(
    r"""(\b(\w{3,64})['"]?\s{0,2}[=:]\s{0,2})"""
    r"""(?:'[^'\\]*(?:\\.[^'\\]*)*(?:'|\\?\Z)|"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z))""",
    re.DOTALL,
)
_JSON_TYPES = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})
_MAX_KNOWN = 10_000  # keys are few, but data used as keys must not fill the memory
_MAX_KNOWN_LENGTH = 100
_MAX_SCRUBBED = 64  # reprs, each of some thousand characters at most


class Redactor:
    """Knows the secret keys. `known` holds its verdict on every short key that it has seen."""

    __slots__ = ("_extra", "_scrubbed", "known")

    def __init__(self, extra_keys: Iterable[str] = ()) -> None:
        self._extra = frozenset(map(_bare, extra_keys))
        self._scrubbed: dict[str, str] = {}
        self.known: dict[str, bool] = {}

    def names_secret(self, key: str) -> bool:
        """Whether a string or structure under this key is hidden, where it is worth hiding."""
        bare = _bare(key)
        is_secret = bare in self._extra or (
            bare.endswith(_SECRET_ENDINGS) and not bare.endswith(_HARMLESS_ENDINGS)
        )
        if len(key) <= _MAX_KNOWN_LENGTH:
            if len(self.known) >= _MAX_KNOWN:
                self.known.clear()
            self.known[key] = is_secret
        return is_secret

    def scrub(self, text: str) -> str:
        """Return a repr without the strings that stand behind secret names in it: `api_key='sk-…'`.

        A model that langchain-core cannot take apart is described by its repr, keys included: by the same string
        at each of its runs, so that what was made of the last few is remembered.
        """
        scrubbed = self._scrubbed.get(text)
        if scrubbed is None:
            scrubbed = _ASSIGNMENT.sub(self._scrub_one, text)
            if len(self._scrubbed) >= _MAX_SCRUBBED:
                self._scrubbed.clear()
            self._scrubbed[text] = scrubbed
        return scrubbed

    def _scrub_one(self, match: re.Match[str]) -> str:
        return f"{match[1]}'{REDACTED}'" if self.names_secret(match[2]) else match[0]


def _bare(key: str) -> str:
    return "".join(filter(str.isalnum, key[-64:])).lower()


def is_worth_hiding(value: Any) -> bool:
    """Whether this may be a secret.

    The JSON schema of a field called `password` is none, and langchain-core's placeholder of a
    secret holds only its name.
    """
    if type(value) is str:
        return bool(value)
    if type(value) is dict:
        form = value.get("type")
        if type(form) is str:
            return form not in _JSON_TYPES and not (form == "secret" and "lc" in value)
    return True
