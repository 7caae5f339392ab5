#!/usr/bin/env python
"""Runwood's command line: `manage.py help` lists what it does."""

from __future__ import annotations

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"runwood: {error}")  # a setting: its name and value say more than a traceback


if __name__ == "__main__":
    main()
