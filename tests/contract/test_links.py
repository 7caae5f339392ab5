"""The links that the SDK makes open the page that they mean, in the browser of someone who is signed in."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
import requests

from benchmarks.server import Server
from tests.contract.shop import Shop
from tests.contract.support import Account, newest_covers

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

WHAT = "links that the SDK makes (`get_run_url`, `run.url`, `project.url`, `share_run`)"


@pytest.fixture(scope="module")
def visitor(runwood: Server) -> requests.Session:
    """A session that has signed in by a one-time link."""
    session = requests.Session()
    link = runwood.sign_in_url()
    form = session.get(link, timeout=10).text
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
    assert token is not None
    answer = session.post(link, {"csrfmiddlewaretoken": token[1]}, timeout=10)
    assert answer.ok, answer.text
    return session


def opened(visitor: requests.Session, runwood: Server, link: str | None) -> requests.Response:
    """Open a link on this server. The SDK leaves the port out of those to localhost: take the rest."""
    assert link is not None
    parts = urlsplit(link)
    answer = visitor.get(f"{runwood.url}{parts.path}?{parts.query}", timeout=10)
    assert answer.status_code == 200, (answer.url, answer.status_code)
    return answer


@newest_covers(what=WHAT)
@pytest.mark.parametrize("name", ["agent", "ChatOpenAI"])
def test_the_link_of_a_run_opens_its_trace(
    account: Account, shop: Shop, visitor: requests.Session, runwood: Server, name: str
) -> None:
    run = account.client.read_run(shop.ids[name])
    for link in (run.url, account.client.get_run_url(run=run)):
        page = opened(visitor, runwood, link)
        assert str(run.trace_id) in page.url
        assert str(run.id) in page.text
        assert name in page.text


@newest_covers(what=WHAT)
def test_the_link_of_a_project_opens_its_traces(
    account: Account, shop: Shop, visitor: requests.Session, runwood: Server
) -> None:
    project = account.client.read_project(project_name=shop.project)
    page = opened(visitor, runwood, project.url)
    assert shop.project in page.text
    assert "extractor" in page.text


@newest_covers(what=WHAT)
def test_the_link_of_a_shared_run_opens_without_signing_in(
    account: Account, shop: Shop, runwood: Server
) -> None:
    link = account.client.share_run(shop.ids["plumbing"])
    assert "plumbing" in opened(requests.Session(), runwood, link).text
    account.client.unshare_run(shop.ids["plumbing"])
