"""The API, under every prefix that LangSmith clients make of their endpoint setting (protocol 1.2)."""

from __future__ import annotations

from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path, re_path, register_converter

from collector.api import health
from collector.api.attachments import AttachmentView
from collector.api.deletion import DeleteRunsView
from collector.api.feedback import (
    FeedbackListView,
    FeedbackView,
    change_feedback,
    create_feedback,
)
from collector.api.feedback_configs import FeedbackConfigList, change_feedback_configs
from collector.api.feedback_tokens import (
    FeedbackTokenList,
    MakeFeedbackTokens,
    UseFeedbackToken,
)
from collector.api.info import info
from collector.api.ingest import (
    create_run,
    ingest_batch,
    ingest_multipart,
    update_run,
)
from collector.api.model_price_map import PriceMapAddView, PriceMapChangeView, PriceMapView
from collector.api.otlp import export_traces
from collector.api.prices import PriceAddView, PriceChangeView, PriceListView, PriceView
from collector.api.public import SharedFeedbackView, SharedRunQueryView, SharedRunView
from collector.api.routing import ByMethod, IdConverter, NoSuchRoute
from collector.api.runs import RunQueryView, RunView
from collector.api.schema import SchemaView
from collector.api.sessions import (
    ChangeSessionView,
    CreateSessionView,
    DeleteSessionView,
    ResolveSessionView,
    SessionListView,
    SessionView,
)
from collector.api.sharing import ReadShareView, change_share
from collector.api.stats import RunStatsView
from collector.api.streams import ProjectStreamView, TraceStreamView
from collector.api.threads import ThreadListView, ThreadStatsView, ThreadView
from collector.api.workspace import (
    AnnotationQueueListView,
    NotSupportedYetView,
    OrganizationView,
    SettingsView,
    WorkspaceListView,
)

# http://host, http://host/api, http://host/api/v1 and http://host/v1 are all in use. The one that we recommend
# first: Django tries route after route, which cost it 70 us as the third.
PREFIXES = ("api/v1/", "api/", "v1/", "")

register_converter(IdConverter, "id")

change_price, change_price_map = PriceChangeView.as_view(), PriceMapChangeView.as_view()
prices: list[URLPattern] = [
    path("model-prices", ByMethod(GET=PriceListView.as_view(), POST=PriceAddView.as_view())),
    path(
        "model-prices/<id:price_id>",
        ByMethod(GET=PriceView.as_view(), PATCH=change_price, DELETE=change_price),
    ),
    re_path(
        "^model-price-map/?$", ByMethod(GET=PriceMapView.as_view(), POST=PriceMapAddView.as_view())
    ),
    path("model-price-map/<id:price_id>", ByMethod(PUT=change_price_map, DELETE=change_price_map)),
]

api: list[URLPattern] = [
    path("info", info),
    path("runs", create_run),
    path("runs/batch", ingest_batch),
    path("runs/multipart", ingest_multipart),
    path("otel/v1/traces", export_traces),
    path("feedback", ByMethod(GET=FeedbackListView.as_view(), POST=create_feedback)),
    path(
        "feedback/tokens",
        ByMethod(GET=FeedbackTokenList.as_view(), POST=MakeFeedbackTokens.as_view()),
    ),
    path("feedback/tokens/<id:token_id>", UseFeedbackToken.as_view()),
    path(
        "feedback-configs",
        ByMethod(
            GET=FeedbackConfigList.as_view(),
            POST=change_feedback_configs,
            PATCH=change_feedback_configs,
            DELETE=change_feedback_configs,
        ),
    ),
    path(
        "feedback/<id:feedback_id>",
        ByMethod(GET=FeedbackView.as_view(), PATCH=change_feedback, DELETE=change_feedback),
    ),
    path("runs/query", RunQueryView.as_view()),
    path("runs/stats", RunStatsView.as_view()),
    path("runs/group", ThreadListView.as_view()),
    path("runs/group/stats", ThreadStatsView.as_view()),
    path("runs/threads/<path:thread_id>", ThreadView.as_view()),
    path("runs/delete", DeleteRunsView.as_view()),
    path("runs/delete/traces", DeleteRunsView.as_view()),
    path(
        "runs/<id:run_id>/share",
        ByMethod(GET=ReadShareView.as_view(), PUT=change_share, DELETE=change_share),
    ),
    path("public/<id:token>/run", SharedRunView.as_view()),
    path("public/<id:token>/run/<id:run_id>", SharedRunView.as_view()),
    path("public/<id:token>/runs/query", SharedRunQueryView.as_view()),
    path("public/<id:token>/feedbacks", SharedFeedbackView.as_view()),
    path("runs/<id:run_id>", ByMethod(GET=RunView.as_view(), PATCH=update_run)),
    path("attachments/<str:signed>", AttachmentView.as_view()),
    path("sessions", ByMethod(GET=SessionListView.as_view(), POST=CreateSessionView.as_view())),
    path("sessions/resolutions", ResolveSessionView.as_view()),
    path(
        "sessions/<id:session_id>",
        ByMethod(
            GET=SessionView.as_view(),
            PATCH=ChangeSessionView.as_view(),
            DELETE=DeleteSessionView.as_view(),
        ),
    ),
    path("settings", SettingsView.as_view()),
    path("workspaces", WorkspaceListView.as_view()),
    path("orgs/current", OrganizationView.as_view()),
    path("annotation-queues", AnnotationQueueListView.as_view()),
    *prices,
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("api/schema/", SchemaView.as_view(), name="schema"),
    # Under the prefixes that no page has: the others lead to projects and traces of the viewer.
    *(
        path(f"{prefix}{route}", view.as_view())
        for prefix in ("api/v1/", "api/")
        for route, view in (
            ("projects/<path:project>/stream", ProjectStreamView),
            ("traces/<id:trace_id>/stream", TraceStreamView),
        )
    ),
    path("v1/traces", export_traces),  # OTEL_EXPORTER_OTLP_ENDPOINT=http://host
    *(path(prefix, include(api)) for prefix in PREFIXES),
    *(path(prefix, include("collector.api.v2.urls")) for prefix in ("api/v2/", "v1/api/v2/")),
    # Datasets and experiments are to come: their clients get to know it.
    re_path(
        r"^(?:api/v1/|api/|v1/|api/v2/)?(?:platform/|v1/platform/)?(?:datasets|examples)(?:/.*)?$",
        NotSupportedYetView.as_view(),
    ),
    # Past all routes: a client gets JSON, not the page that a browser would.
    re_path(rf"^(?:{'|'.join(settings.API_ROOTS)})(?:/.*)?$", NoSuchRoute.as_view()),
]
