"""The routes of v2, below `/api/v2/`."""

from __future__ import annotations

from django.urls import URLPattern, path

from collector.api.v2.public import SharedRunQueryView, SharedRunView
from collector.api.v2.runs import RunQueryView, RunUrlView, RunView, ShareView
from collector.api.v2.threads import (
    ThreadQueryView,
    ThreadsStatsView,
    ThreadStatsView,
    ThreadTracesView,
)
from collector.api.v2.traces import TraceQueryView, TraceRunsView

urlpatterns: list[URLPattern] = [
    path("runs/query", RunQueryView.as_view()),
    path("runs/<id:run_id>", RunView.as_view()),
    path("runs/<id:run_id>/url", RunUrlView.as_view()),
    path("runs/<id:run_id>/share", ShareView.as_view()),
    path("traces/query", TraceQueryView.as_view()),
    path("traces/<id:trace_id>/runs", TraceRunsView.as_view()),
    path("threads/query", ThreadQueryView.as_view()),
    path("threads/stats", ThreadsStatsView.as_view()),
    path("threads/<path:thread_id>/traces", ThreadTracesView.as_view()),
    path("threads/<path:thread_id>/stats", ThreadStatsView.as_view()),
    path("public/<id:token>/runs/query", SharedRunQueryView.as_view()),
    path("public/<id:token>/run/<id:run_id>", SharedRunView.as_view()),
]
