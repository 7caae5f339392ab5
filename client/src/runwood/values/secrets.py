"""Secrets inside running text: API keys, tokens, private keys, passwords in addresses and assignments.

Looked for in the JSON of a run as it is about to leave, in the sender's thread: nothing of it is overlooked, and
the app's thread pays nothing. Three steps, each for what the one before lets through: words that every secret
has beside it, in one pass; the shapes of secrets, roughly; and Python's patterns, which say what exactly is hidden.

The first two are by the regex engine of pydantic-core, which langchain-core brings: it is linear in whatever it
is given, and finds one of eighty words in four microseconds where `re` takes two hundred.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from pydantic_core import SchemaValidator, core_schema

from runwood.values.redaction import REDACTED

# No secret without one of these. Short and many is what the engine is good at.
_WORDS = (
    "sk-", "sk_live_", "sk_test_", "rk_live_", "rk_test_", "rw_", "lsv2_", "ls__", "ghp_", "gho_", "ghu_", "ghs_",
    "ghr_", "github_pat_", "glpat-", "xoxa-", "xoxb-", "xoxe-", "xoxp-", "xoxr-", "xoxs-", "AKIA", "ASIA", "AIza",
    "ya29.", "hf_", "gsk_", "xai-", "nvapi-", "tvly-", "SG.", "npm_", "pypi-", "whsec_", "dop_v1_", "shpat_",
    "pplx-", "pcsk_", "r8_", "dckr_pat_", "glsa_", "hvs.", "GOCSPX-", "xapp-", "lin_api_", "hooks.slack.com",
    "eyJ", "PRIVATE KEY", "earer", "EARER", "asic ", "://", "assword", "ASSWORD", "asswd", "ASSWD", "ecret", "ECRET",
    "api_key", "apikey", "apiKey", "api-key", "API_KEY", "APIKEY", "access_token", "ACCESS_TOKEN", "auth_token",
    "AUTH_TOKEN", "ccountKey", "ccount_key", "pwd=", "pwd:", "PWD=", "oken=", "OKEN=", "oken:", "OKEN:", "oken'", 'oken\\"',
    'OKEN\\"', "uthorization", "UTHORIZATION", "ookie", "--to", " -u ",
)  # fmt: skip

# A key by its own look: (what is shown of it, what is hidden).
_KEYS = (
    (r"sk-", r"[A-Za-z0-9_-]{16,}"),
    (r"(?:sk|rk)_(?:live|test)_", r"[A-Za-z0-9]{16,}"),
    (r"rw_", r"[A-Za-z0-9_-]{40,}"),
    (r"lsv2_(?:pt|sk)_", r"[0-9a-f]{32,}[0-9a-f_]*"),
    (r"ls__", r"[0-9a-f]{32,}"),
    (r"gh[pousr]_", r"[A-Za-z0-9]{36,}"),
    (r"github_pat_", r"[A-Za-z0-9_]{22,}"),
    (r"glpat-", r"[A-Za-z0-9_-]{20,}"),
    (r"xox[abeprs]-", r"[A-Za-z0-9-]{10,}"),
    (r"A[KS]IA", r"[A-Z0-9]{16}"),
    (r"AIza", r"[A-Za-z0-9_-]{35}"),
    (r"ya29\.", r"[A-Za-z0-9_-]{20,}"),
    (r"hf_", r"[A-Za-z0-9]{30,}"),
    (r"gsk_", r"[A-Za-z0-9]{40,}"),
    (r"xai-", r"[A-Za-z0-9]{40,}"),
    (r"nvapi-", r"[A-Za-z0-9_-]{40,}"),
    (r"tvly-", r"[A-Za-z0-9-]{20,}"),
    (r"SG\.", r"[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    (r"npm_", r"[A-Za-z0-9]{36}"),
    (r"pypi-", r"[A-Za-z0-9_-]{50,}"),
    (r"whsec_", r"[A-Za-z0-9+/=]{20,}"),
    (r"dop_v1_", r"[0-9a-f]{64}"),
    (r"shp(?:at|ss|ca|pa)_", r"[0-9a-fA-F]{32}"),
    (r"pplx-", r"[A-Za-z0-9]{40,}"),
    (r"pcsk_", r"[A-Za-z0-9_]{40,}"),
    (r"r8_", r"[A-Za-z0-9]{30,}"),
    (r"dckr_pat_", r"[A-Za-z0-9_-]{20,}"),
    (r"glsa_", r"[A-Za-z0-9_]{30,}"),
    (r"hvs\.", r"[A-Za-z0-9_-]{20,}"),
    (r"GOCSPX-", r"[A-Za-z0-9_-]{20,}"),
    (r"xapp-", r"[A-Za-z0-9-]{30,}"),
    (r"lin_api_", r"[A-Za-z0-9]{30,}"),
    (r"hooks\.slack\.com/services/", r"[A-Za-z0-9/]{20,}"),
    (r"eyJ", r"[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),
)
# By what stands before it. The text is JSON, perhaps with JSON inside: a quote in it has backslashes before it,
# and a bare one is the JSON's own, under whose keys `runwood.values.redaction` judges.
_QUOTE = r"""(?:\\{1,7}["']|')?"""
_BEARER = (r"(?:[Bb]earer|BEARER)\s{1,3}", r"[A-Za-z0-9._~+/=-]{16,}")
_SIGN = rf"{_QUOTE}\s{{0,3}}[=:]\s{{0,3}}{_QUOTE}"
_BASIC = (rf"(?i:authorization){_SIGN}[Bb]asic\s{{1,3}}", r"[A-Za-z0-9+/=]{8,}")
_HEADER = (rf"(?i:authorization){_SIGN}(?:[A-Za-z-]{{1,20}}\s{{1,3}})?", r"[A-Za-z0-9._~+/=-]{16,}")
_COOKIE = (rf"(?i:cookie){_SIGN}[^\s=;\"'\\]{{1,60}}=", r"[A-Za-z0-9._~+/=%-]{12,}")
_VALUE = r"""[^\s"'\\,;&<>(){}\[\]]{8,200}"""
_ASSIGNED = (
    r"(?i:api[_-]?key|access[_-]?key|account[_-]?key|secret(?:[_-]?key)?|passwords?|passwd|\bpwd)"
    rf"{_SIGN}",
    _VALUE,
)
# A token may also be a word of a model's vocabulary, or the place of a page: only a long one counts.
_TOKEN = (
    r"(?:\b(?:token|TOKEN)|[A-Z0-9]_TOKEN|(?i:access|auth|api|bearer|secret|refresh|session|id)[_-]?[Tt]oken)"
    rf"{_SIGN}",
    r"[A-Za-z0-9._~+/=-]{16,}",
)
_OPTION = (r"--(?:password|passwd|api-?key|token|secret)[ =]", _VALUE)
_LOGIN = (r" -u\s{1,3}[^\s:\"'\\]{1,60}:", r"""[^\s"'\\]{6,200}""")
_ADDRESS = (r"""://[^\s:/@"'\\]{0,100}:""", r"""[^\s/?#"'\\]{1,200}""", "@")
_BLOCK = r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----"

# Where a key may begin: not inside of a word, but behind an escape, whose last letter belongs to no word.
_START = r"(?:(?<![A-Za-z0-9_-])|(?<=\\[nrtbf])|(?<=\\u[0-9a-fA-F]{4}))"


def hide_secrets(data: bytes) -> bytes:
    """Return JSON without the secrets that stand in its strings. It stays JSON, of the same structure."""
    text = data.decode()
    if not _has_word(text) and not _has_other_word(text):
        return data
    hidden = text
    for has_shape, pattern, replace in _RULES:
        if has_shape(text):
            hidden = pattern.sub(replace, hidden)
    return data if hidden is text else hidden.encode()


def _in_rust(*shapes: str) -> Callable[[str], bool]:
    """Return a function that says whether a text has one of these shapes."""
    schema = core_schema.str_schema(pattern="|".join(shapes), regex_engine="rust-regex")
    return SchemaValidator(schema).isinstance_python


def _hide(match: re.Match[str]) -> str:
    """Keep what shows the kind, if the rest looks like chance and not like words."""
    secret = match.lastindex or 0
    shown = match[secret - 1]
    return f"{shown}{REDACTED}" if _is_random(match[secret]) else match[0]


def _hide_always(match: re.Match[str]) -> str:
    return f"{match[1]}{REDACTED}"


def _is_random(text: str) -> bool:
    return any(map(str.isdigit, text)) or (len(text) >= 30 and text.lower() != text)


# Two, since the engine is quick with so many words and no more.
_has_word, _has_other_word = (
    _in_rust(*map(re.escape, words)) for words in (_WORDS[:45], _WORDS[45:])
)
# (whether it is there at all, where exactly, what stands there then)
_RULES: tuple[
    tuple[Callable[[str], bool], re.Pattern[str], Callable[[re.Match[str]], str]], ...
] = (
    (
        _in_rust(*(shown + rest for shown, rest in _KEYS)),
        re.compile(f"{_START}(?:{'|'.join(f'({shown})({rest})' for shown, rest in _KEYS)})"),
        _hide,
    ),
    *(
        (_in_rust("".join(rule)), re.compile("({})({})".format(*rule)), _hide)
        for rule in (_BEARER, _HEADER, _COOKIE, _ASSIGNED, _TOKEN, _OPTION, _LOGIN)
    ),
    (_in_rust("".join(_BASIC)), re.compile("({})({})".format(*_BASIC)), _hide_always),
    (_in_rust("".join(_ADDRESS)), re.compile("({})({})(?={})".format(*_ADDRESS)), _hide_always),
    # The block ends where it says so, or with its string, of which the end may have been cut.
    (
        _in_rust(_BLOCK),
        re.compile(rf"""({_BLOCK})[^"]*?(?:-----END [A-Z ]{{0,30}}PRIVATE KEY-----|(?=\\*"))"""),
        _hide_always,
    ),
)
