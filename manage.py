#!/usr/bin/env python
"""Runwood's command line: `manage.py help` lists what it does."""

from __future__ import annotations

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import OperationalError
from psycopg_pool import PoolTimeout


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"runwood: {error}")  # a setting: its name and value say more than a traceback
    except OperationalError as error:
        if not isinstance(error.__cause__, PoolTimeout):
            raise
        from config import paths

        sys.exit(
            f"runwood: no database answers. Is the server up? This command looked where DATABASE_URL says, or in"
            f" RUNWOOD_DATA_DIR, which is {paths.data_dir()}: both have to be as they are for the server."
        )


if __name__ == "__main__":
    main()
