"""`runwood doctor` must not take a server's variable for a misspelt one of the client."""

from __future__ import annotations

import re

from runwood.command.doctor.variables import SERVER_VARIABLES, VARIABLES

from benchmarks.server import ROOT


def test_the_client_knows_the_servers_variables_and_no_others() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "config").rglob("*.py")]
    read = set(re.findall(r'"(RUNWOOD_[A-Z_]+)"', "".join(sources)))
    assert read == SERVER_VARIABLES
    assert not read & set(VARIABLES)
