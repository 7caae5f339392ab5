"""`python -m runwood`, and the `runwood` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line, or say what it takes to have one."""
    try:
        from runwood.command.cli import app
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich"):
            raise
        sys.stderr.write(
            "The runwood command needs two more packages: pip install 'runwood[cli]'\n"
        )
        raise SystemExit(2) from None
    app(prog_name="runwood")


if __name__ == "__main__":
    main()
