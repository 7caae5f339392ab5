"""Files of runs, sent by the SDK from memory and from disk, and read back through it."""

from __future__ import annotations

import sys
from urllib.parse import urljoin

import pytest
import requests
from langsmith.schemas import Run

from tests.contract.support import Account, Runs, new_project, newest_covers, read_runs, run_program

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

PICTURE = b"\x89PNG\r\n--0123456789abcdef0123456789abcdef\r\n" + bytes(range(256)) * 300
NOTES = "Grüße, 返金\n".encode() * 100


@pytest.fixture(scope="module", params=["compressed", "uncompressed"])
def runs(
    request: pytest.FixtureRequest, account: Account, tmp_path_factory: pytest.TempPathFactory
) -> Runs:
    file = tmp_path_factory.mktemp("attached") / "notes.txt"
    file.write_bytes(NOTES)
    project = new_project(f"attachments, {request.param}")
    settings = {"LANGSMITH_DISABLE_RUN_COMPRESSION": str(request.param == "uncompressed").lower()}
    environment = account.environment(project, **settings)
    run_program(sys.executable, "attached", environment, str(file))
    return read_runs(account.client, project, 2)


def address(account: Account, run: Run, name: str) -> str:
    """Return where a file is; the server may leave its own address out."""
    return urljoin(f"{account.endpoint}/", str(run.attachments[name]["presigned_url"]))


@newest_covers(what="attachments")
def test_a_listed_run_has_its_files_byte_for_byte(runs: Runs) -> None:
    run = runs.one("look")
    assert sorted(run.attachments) == ["notes", "picture"]
    assert run.attachments["picture"]["reader"].read() == PICTURE
    assert run.attachments["notes"]["reader"].read() == NOTES
    assert run.inputs == {"question": "what is it?"}


@newest_covers(what="attachments")
def test_a_run_that_is_read_has_its_files_and_their_types(account: Account, runs: Runs) -> None:
    run = account.client.read_run(runs.one("look").id)
    assert run.attachments["picture"]["reader"].read() == PICTURE
    types = {name: file["mime_type"] for name, file in run.attachments.items()}
    assert types == {"picture": "image/png", "notes": "text/plain"}


@newest_covers(what="attachments")
def test_a_file_of_a_run_by_hand_is_never_shown_as_a_page(account: Account, runs: Runs) -> None:
    run = account.client.read_run(runs.one("by hand").id)
    assert run.attachments["mail"]["reader"].read() == b"<script>1</script>"
    answer = requests.get(address(account, run, "mail"), timeout=10)
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@newest_covers(what="attachments")
def test_an_address_that_was_changed_opens_nothing(account: Account, runs: Runs) -> None:
    url = address(account, account.client.read_run(runs.one("by hand").id), "mail")
    assert requests.get(url, timeout=10).status_code == 200
    assert requests.get(f"{url}x", timeout=10).status_code in {400, 401, 403, 404}
