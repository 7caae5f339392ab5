"""The pages. Every one needs a session, but for those in `OPEN`."""

from __future__ import annotations

from django.urls import URLPattern, path, register_converter
from django.views.generic import RedirectView

from viewer.present.project_paths import quote_project_name, unquote_project_name
from viewer.sessions import View, session_required
from viewer.views import (
    accounts,
    api_keys,
    feedback,
    links,
    live,
    members,
    preferences,
    prices,
    project_settings,
    projects,
    public,
    saved_views,
    selection,
    threads,
    trace,
    trace_files,
    traces,
)


class ProjectNameConverter:
    """A project's name as one path segment; any other text is no such page."""

    regex = "[^/]+"

    def to_python(self, value: str) -> str:
        return unquote_project_name(value)

    def to_url(self, value: str) -> str:
        return quote_project_name(value)


class ThreadIdConverter(ProjectNameConverter):
    """A thread's id, which may hold anything too."""


class SideConverter:
    """Which of the traces beside one."""

    regex = "newer|older"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(SideConverter, "side")
register_converter(ProjectNameConverter, "project")
register_converter(ThreadIdConverter, "thread")

OPEN = [
    path("sign-in", accounts.sign_in, name="sign-in"),
    path("sign-in/<str:token>", accounts.sign_in_by_link, name="sign-in-link"),
    path("public/<uuid:token>/r", public.shared_run, name="shared-run"),
    path("public/<uuid:token>/r/<uuid:run_id>/raw", public.shared_run_raw, name="shared-run-raw"),
    path("settings/theme", preferences.set_theme, name="set-theme"),
]

SIGNED_IN: list[tuple[str, View, str]] = [
    ("", RedirectView.as_view(pattern_name="project-list"), "home"),
    ("sign-out", accounts.sign_out, "sign-out"),
    ("projects", projects.project_list, "project-list"),
    ("projects/new", projects.connect, "connect"),
    ("projects/new/stream", live.connect_stream, "connect-stream"),
    ("p/<project:project>", RedirectView.as_view(pattern_name="trace-list"), "project"),
    ("p/<project:project>/setup", projects.project_setup, "project-setup"),
    ("p/<project:project>/setup/stream", live.project_setup_stream, "project-setup-stream"),
    ("p/<project:project>/traces", traces.trace_list, "trace-list"),
    ("p/<project:project>/settings", project_settings.project_settings, "project-settings"),
    ("p/<project:project>/views", saved_views.change_views, "change-views"),
    ("p/<project:project>/selection", selection.change_selection, "change-selection"),
    ("p/<project:project>/threads", threads.thread_list, "thread-list"),
    (
        "p/<project:project>/threads/<thread:thread>/download",
        threads.download_thread,
        "thread-download",
    ),
    ("p/<project:project>/threads/<thread:thread>", threads.thread_detail, "thread-detail"),
    ("p/<project:project>/search", traces.search_suggestions, "search-suggestions"),
    ("p/<project:project>/traces/stream", live.trace_stream, "trace-stream"),
    ("p/<project:project>/traces/<uuid:trace_id>", trace.trace_detail, "trace-detail"),
    (
        "p/<project:project>/traces/<uuid:trace_id>/download",
        trace_files.download_trace,
        "trace-download",
    ),
    (
        "p/<project:project>/traces/<uuid:trace_id>/<side:side>",
        trace_files.neighbour,
        "trace-neighbour",
    ),
    (
        "p/<project:project>/traces/<uuid:trace_id>/runs/<uuid:run_id>/feedback",
        feedback.judge_run,
        "judge-run",
    ),
    (
        "p/<project:project>/traces/<uuid:trace_id>/stream",
        trace.trace_detail_stream,
        "trace-detail-stream",
    ),
    ("p/<project:project>/traces/<uuid:trace_id>/runs/<uuid:run_id>/raw", trace.run_raw, "run-raw"),
    ("o/<uuid:tenant_id>", links.workspace, "link-workspace"),
    ("o/<uuid:tenant_id>/projects", links.workspace, "link-projects"),
    ("o/<uuid:tenant_id>/projects/p/<uuid:session_id>", links.project, "link-project"),
    ("o/<uuid:tenant_id>/projects/p/<uuid:session_id>/r/<uuid:run_id>", links.run, "link-run"),
    ("o/<uuid:tenant_id>/datasets", links.dataset, "link-datasets"),
    ("o/<uuid:tenant_id>/datasets/<path:rest>", links.dataset, "link-dataset"),
    ("settings/keys", api_keys.api_key_list, "api-keys"),
    ("settings/keys/<uuid:key_id>/revoke", api_keys.revoke, "revoke-api-key"),
    ("settings/members", members.member_list, "members"),
    ("settings/members/change", members.change_members, "change-members"),
    ("settings/prices", prices.price_list, "prices"),
    ("settings/prices/<uuid:price_id>/retire", prices.retire, "retire-price"),
]

urlpatterns: list[URLPattern] = [
    *OPEN,
    *(path(route, session_required(view), name=name) for route, view, name in SIGNED_IN),
]
