"""`manage.py prepare`: make the database ready for the processes that are about to start."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from collector.bootstrap import ensure_first_workspace
from collector.models import Membership, User
from collector.sign_in import make_sign_in_url
from config.postgres import install_broker
from config.settings import database_settings


class Command(BaseCommand):
    help = (
        "Migrate, install the embedded broker's schema, and on the first boot make the workspace"
        " and its admin. May run on several machines at once, and again at every start."
    )
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--sign-in-link", action="store_true", help="print a one-time link")

    def handle(self, *args: Any, **options: Any) -> None:
        connection.settings_dict.update(database_settings(settings.DATABASE_DIRECT_URL))
        try:
            with psycopg.connect(settings.DATABASE_DIRECT_URL, autocommit=True) as lock:
                lock.execute("SET lock_timeout = 0")  # another machine may be migrating for long
                lock.execute("SET statement_timeout = 0")
                lock.execute("SELECT pg_advisory_lock(hashtext('runwood prepare'))")
                self._prepare()
        except psycopg.OperationalError as error:
            raise CommandError(f"The database does not answer: {error}") from error
        if options["sign_in_link"]:
            self.stdout.write(_sign_in_link())

    def _prepare(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
        call_command("migrate", interactive=False, verbosity=0)
        if settings.EMBEDDED_BROKER:
            install_broker(settings.DATABASE_DIRECT_URL)
        ensure_first_workspace()


def _sign_in_link() -> str:
    """Return a link for the oldest administrator, or "" where they are all gone."""
    administrators = User.objects.filter(is_active=True, memberships__role=Membership.Role.ADMIN)
    user = administrators.order_by("id").first()
    return make_sign_in_url(user) if user else ""
