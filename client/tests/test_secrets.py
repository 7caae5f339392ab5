"""What looks like a key, a token or a password inside of a text leaves the process as `[redacted]`."""

from __future__ import annotations

import json
import string

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.callbacks import dispatch_custom_event
from langchain_core.runnables import RunnableLambda
from runwood import RunwoodCallbackHandler, RunwoodFileHandler
from runwood.values.secrets import hide_secrets

ALNUM = string.ascii_letters + string.digits
URL_SAFE = ALNUM + "-_"


def chars(alphabet, length):
    """So many characters, of which the first is a digit: by its digits a key is told from words."""
    return st.text(alphabet, min_size=length - 1, max_size=length - 1).map(lambda text: "7" + text)


def hexadecimal(length):
    return chars("0123456789abcdef", length)


# name → (what stays, what must not leave, what stays behind it)
KINDS = {
    "OpenAI": ("sk-", chars(ALNUM, 48), ""),
    "OpenAI project": ("sk-", chars(URL_SAFE, 120).map(lambda text: "proj-" + text), ""),
    "Anthropic": ("sk-", chars(URL_SAFE, 95).map(lambda text: "ant-api03-" + text), ""),
    "Stripe": ("sk_live_", chars(ALNUM, 24), ""),
    "Runwood": ("rw_", chars(URL_SAFE, 43), ""),
    "LangSmith": ("lsv2_pt_", hexadecimal(32).map(lambda text: text + "_0123456789"), ""),
    "GitHub": ("ghp_", chars(ALNUM, 36), ""),
    "GitHub fine": ("github_pat_", chars(ALNUM + "_", 82), ""),
    "GitLab": ("glpat-", chars(URL_SAFE, 20), ""),
    "Slack": ("xoxb-", chars(string.digits + "-", 30), ""),
    "AWS": ("AKIA", chars(string.ascii_uppercase + string.digits, 16), ""),
    "Google": ("AIza", chars(URL_SAFE, 35), ""),
    "Hugging Face": ("hf_", chars(ALNUM, 34), ""),
    "Groq": ("gsk_", chars(ALNUM, 52), ""),
    "Perplexity": ("pplx-", chars(ALNUM, 48), ""),
    "Vault": ("hvs.", chars(URL_SAFE, 90), ""),
    "Slack hook": ("hooks.slack.com/services/", chars(ALNUM + "/", 40), ""),
    "npm": ("npm_", chars(ALNUM, 36), ""),
    "JWT": ("eyJ", chars(URL_SAFE, 20).map(lambda text: f"{text}.eyJ{text}.{text}"), ""),
    "bearer": ("Authorization: Bearer ", chars(ALNUM + "._~+/-", 40), ""),
    "basic": ("authorization=Basic ", chars(ALNUM + "+/", 20), "=="),
    "address": ("postgres://user:", chars(ALNUM + "!$%^*", 12), "@db.example/x"),
    "assignment": ("OPENAI_API_KEY=", chars(ALNUM, 20), ""),
    "token": ("export TOKEN=", chars(ALNUM, 32), ""),
    "session token": ("https://x/?session_token=", chars(ALNUM, 32), "&a=b"),
    "header": ("Authorization: token ", chars(ALNUM, 40), ""),
    "cookie": ("Set-Cookie: session=", chars(ALNUM, 26), "; Path=/"),
    "option": ("run --api-key ", chars(ALNUM, 20), " --fast"),
    "login": ("curl -u me:", chars(ALNUM, 20), " https://x"),
    "storage": ("AccountKey=", chars(ALNUM + "+/", 60), ";Endpoint=x"),
    "repr": ("Client(password='", chars(ALNUM, 12), "')"),
    "private key": (
        "-----BEGIN RSA PRIVATE KEY-----",
        st.lists(chars(ALNUM + "+/", 64), min_size=1, max_size=5).map("\n".join),
        "-----END RSA PRIVATE KEY-----",
    ),
}
AROUND = st.sampled_from(["", " ", "\n", "\t", "(", "\u2029", "é ", "a b: ", '"', "\\", "\u001b"])


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data(), before=AROUND, depth=st.integers(0, 2))
def test_a_secret_in_a_text_does_not_leave(kind, data, before, depth):
    shown, secrets, behind = KINDS[kind]
    secret = data.draw(secrets)
    text = f"see {before}{shown}{secret}{behind} please"
    for _ in range(depth):  # JSON in JSON, as tools' arguments are
        text = json.dumps({"text": text})
    hidden = hide_secrets(orjson.dumps({"inputs": {"q": text}, "n": [1]}))
    assert secret.splitlines()[0] not in hidden.decode().replace("\\n", "\n")
    read = orjson.loads(hidden)
    assert read["n"] == [1]
    for _ in range(depth):
        read["inputs"]["q"] = json.loads(read["inputs"]["q"])["text"]
    assert read["inputs"]["q"].startswith(f"see {before}{shown}[redacted]")
    assert read["inputs"]["q"].endswith(" please")


@given(st.recursive(st.text() | st.integers(-(2**60), 2**60) | st.none(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))  # fmt: skip
def test_what_holds_no_secret_is_unchanged(value):
    data = orjson.dumps({"inputs": value})
    assert hide_secrets(data) == data


@given(st.lists(st.sampled_from([
    "sk-", "eyJ", ".eyJ", "Bearer ", "password=", "://", "a:b@", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----",
    '"', "\\", "\\n", "'", "1234567890abcdefghij", "é", "\n", "😀", "AKIA", "secret: ", " ",
]), max_size=12).map("".join))  # fmt: skip
def test_whatever_the_text_it_stays_json_of_the_same_structure(text):
    read = orjson.loads(hide_secrets(orjson.dumps({text: [text, {"a": text}]})))
    ((_, value),) = read.items()
    assert [type(item) for item in value] == [str, dict]
    assert list(value[1]) == ["a"]


@pytest.mark.parametrize(
    "text",
    [
        "the task-force met; risk-averse-investors-of-the-world said no",
        "pip install sk-video-processing-library-for-all",
        "a bearer of bad news, the Bearer authentication/authorization/standards",
        "the password: required, at least eight characters",
        "what is the secret of longevity? tokens: 1234567890",
        "Basic authentication is basic",
        "https://example.com:8080/a?b=c@d and http://[::1]:80/",
        "mailto:a@b.example, https://user@example.com/x",
        "id 0b8f6f0e-8f2b-4f3e-9a51-7d1f2a3b4c5d, commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
        "api_key = os.environ['API_KEY']",
        "password=None, api_key=SecretStr('**********')",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "the shop's AKIA lamp, eyJafjallajokull, hf_hub and npm_config_registry",
        "total_tokens=12345678 max_tokens: 4096",
        "get_api_key(self): return self._api_key; bearer_token: Optional[str] = None",
        "Authorization: required. A cookie: two eggs, 200 g of flour",
        "the token: eos_token='<|end_of_text_0001|>', next: 12",
    ],
)  # fmt: skip
def test_ordinary_text_stays_as_it_is(text):
    data = orjson.dumps({"inputs": text})
    assert hide_secrets(data) == data


KEY = "sk-proj-1234567890abcdefghijABCDEFGHIJ"


def record(handler):
    def act(x):
        dispatch_custom_event("progress", {"at": f"key {KEY}"})
        raise ValueError(f"401 for {KEY}")

    config = {"callbacks": [handler], "metadata": {"note": f"of {KEY}"}, "tags": [f"key:{KEY}"]}
    with pytest.raises(ValueError, match="401"):
        RunnableLambda(act, name="step").invoke({"q": [f"my key is {KEY}"]}, config)
    handler.flush()


def test_secrets_are_hidden_everywhere_in_a_run(peer, handler):
    record(handler)
    run = peer.named("step")
    assert run["inputs"]["q"] == ["my key is sk-[redacted]"]
    assert KEY[8:] not in json.dumps(run)
    assert "401 for sk-[redacted]" in run["error"]


def test_secrets_are_hidden_in_a_file_and_in_a_spool(tmp_path):
    record(RunwoodFileHandler(tmp_path / "runs.jsonl"))
    handler = RunwoodCallbackHandler("http://127.0.0.1:9", spool_dir=tmp_path / "spool")
    record(handler)
    files = [path for path in tmp_path.rglob("*.jsonl") if path.is_file()]
    assert len(files) == 2
    assert all(KEY[8:] not in path.read_text() for path in files)


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_who_wants_their_texts_as_they_are_says_so(peer, monkeypatch, how):
    if how == "environment":
        monkeypatch.setenv("RUNWOOD_REDACT_SECRETS", "false")
    handler = RunwoodCallbackHandler(peer.url, redact_secrets=False if how == "argument" else None)
    record(handler)
    assert peer.named("step")["inputs"]["q"] == [f"my key is {KEY}"]


def test_two_handlers_of_one_server_each_keep_their_word(peer):
    open_ = RunwoodCallbackHandler(peer.url, project="open", redact_secrets=False)
    careful = RunwoodCallbackHandler(peer.url, project="careful")
    record(open_)
    record(careful)
    shown = {run["session_name"]: KEY in json.dumps(run) for run in peer.runs.values()}
    assert shown == {"open": True, "careful": False}
