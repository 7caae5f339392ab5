"""Django's Postgres backend with one difference: see `DatabaseWrapper`."""

from __future__ import annotations

import threading

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """Where one connection turns out to be dead, after a restart of Postgres, the others are looked at.

    The pool would hand out each of its dead connections to a request of its own. Its way to check them
    before (CONN_HEALTH_CHECKS) sleeps for a second at each dead one, and costs every request a round trip.
    """

    def _close(self) -> None:
        connection, pool = self.connection, self.pool
        is_dead = connection is not None and connection.broken
        super()._close()  # type: ignore[misc]
        if is_dead and pool is not None:
            # a thread, since the server may be one that does not even answer
            threading.Thread(target=pool.check, name="check-pool", daemon=True).start()
