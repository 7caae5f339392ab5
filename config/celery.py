"""The Celery app: one queue of doorbells, and the beat schedule."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import import_modules
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("runwood")


def _broker_options() -> dict[str, Any]:
    if not settings.EMBEDDED_BROKER:
        # kombu looks for lost messages every 100 s; the sweeper is quicker, so loss costs a second
        return {"visibility_timeout": 300, "socket_timeout": 2, "socket_connect_timeout": 2}
    return {
        "conn_string": settings.DATABASE_DIRECT_URL,
        "init_extension": False,  # its schema is plain SQL (config.postgres.install_broker)
        "visibility_timeout": 300,
        "use_notify": True,
        "notify_throttle_interval_ms": 0,
        "wait_time_seconds": 0,
        "pool_size": 3,
    }


app.conf.update(
    broker_url=settings.CELERY_BROKER_URL,
    broker_transport_options=_broker_options(),
    broker_connection_retry_on_startup=True,
    broker_connection_timeout=2,
    accept_content=["json"],
    task_serializer="json",
    task_ignore_result=True,
    task_default_queue="runwood",
    task_publish_retry=False,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_enable_remote_control=False,  # pgmq caps queue names at 47 characters; reply queues are longer
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    beat_schedule={
        "seal": {"task": "collector.tasks.seal", "schedule": 5.0, "options": {"expires": 30}},
        "partitions": {"task": "collector.tasks.make_partitions", "schedule": 3600.0},
    },
)
app.autodiscover_tasks(["collector"])


@import_modules.connect  # type: ignore[untyped-decorator]
def _add_sweeper(**_kwargs: object) -> None:
    from collector.sweeper import SweeperStep

    app.steps["worker"].add(SweeperStep)
