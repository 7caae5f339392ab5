"""What v2's objects look like, for `/api/schema/`. Nothing is serialized by these: see fields.py."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

SELECTS = OpenApiParameter(
    "selects", str, many=True, description="Fields, in capitals; without any only the id"
)


class Run(serializers.Serializer[None]):
    """A run. Fields are there if they are selected, by their names in capitals; `id` always is."""

    id = serializers.UUIDField()
    name = serializers.CharField(required=False)
    run_type = serializers.CharField(required=False, help_text="In capitals")
    status = serializers.ChoiceField(["PENDING", "SUCCESS", "ERROR"], required=False)
    start_time = serializers.DateTimeField(required=False)
    end_time = serializers.DateTimeField(required=False, allow_null=True)
    latency_seconds = serializers.FloatField(required=False, allow_null=True)
    first_token_time = serializers.DateTimeField(required=False, allow_null=True)
    error = serializers.CharField(required=False, allow_null=True)
    error_preview = serializers.CharField(required=False, allow_null=True)
    inputs = serializers.DictField(required=False)
    outputs = serializers.DictField(required=False, allow_null=True)
    inputs_preview = serializers.CharField(required=False)
    outputs_preview = serializers.CharField(required=False)
    extra = serializers.DictField(required=False)
    metadata = serializers.DictField(required=False)
    events = serializers.ListField(child=serializers.DictField(), required=False)
    manifest = serializers.DictField(required=False, allow_null=True)
    parent_run_id = serializers.UUIDField(required=False, allow_null=True)
    parent_run_ids = serializers.ListField(child=serializers.UUIDField(), required=False)
    project_id = serializers.UUIDField(required=False)
    trace_id = serializers.UUIDField(required=False)
    thread_id = serializers.CharField(required=False, allow_null=True)
    dotted_order = serializers.CharField(required=False)
    is_root = serializers.BooleanField(required=False)
    reference_example_id = serializers.UUIDField(required=False, allow_null=True)
    total_tokens = serializers.IntegerField(required=False, help_text="The run's own")
    prompt_tokens = serializers.IntegerField(required=False)
    completion_tokens = serializers.IntegerField(required=False)
    total_cost = serializers.FloatField(required=False, allow_null=True, help_text="USD")
    prompt_cost = serializers.FloatField(required=False, allow_null=True)
    completion_cost = serializers.FloatField(required=False, allow_null=True)
    prompt_token_details = serializers.DictField(required=False, help_text='{"raw": {…}}')
    completion_token_details = serializers.DictField(required=False)
    prompt_cost_details = serializers.DictField(required=False)
    completion_cost_details = serializers.DictField(required=False)
    price_model_id = serializers.UUIDField(required=False, allow_null=True)
    tags = serializers.ListField(child=serializers.CharField(), required=False)
    app_path = serializers.CharField(required=False)
    attachments = serializers.DictField(
        child=serializers.URLField(), required=False, help_text="Name → address, good for an hour"
    )
    share_url = serializers.URLField(required=False, allow_null=True)
    feedback_stats = serializers.DictField(required=False)


class RunPage(serializers.Serializer[None]):
    """One page of runs."""

    items = Run(many=True)
    next_cursor = serializers.CharField(allow_null=True)


class Within(serializers.Serializer[None]):
    """When, and which page."""

    min_start_time = serializers.DateTimeField(required=False, help_text="A day ago")
    max_start_time = serializers.DateTimeField(required=False)
    cursor = serializers.CharField(required=False)
    page_size = serializers.IntegerField(required=False)


class RunQuery(Within):
    """Which runs."""

    project_ids = serializers.ListField(child=serializers.UUIDField())
    ids = serializers.ListField(child=serializers.UUIDField(), required=False)
    trace_id = serializers.UUIDField(required=False)
    reference_examples = serializers.ListField(child=serializers.UUIDField(), required=False)
    is_root = serializers.BooleanField(required=False)
    has_error = serializers.BooleanField(required=False)
    run_type = serializers.CharField(required=False)
    filter = serializers.CharField(required=False)
    trace_filter = serializers.CharField(required=False)
    tree_filter = serializers.CharField(required=False)
    include_subtree_usage = serializers.BooleanField(
        required=False, help_text="Add to tokens and costs what the runs below took"
    )
    selects = serializers.ListField(child=serializers.CharField(), required=False)


class RunUrl(serializers.Serializer[None]):
    """The address of a run's page."""

    url = serializers.URLField()


class UnshareRun(serializers.Serializer[None]):
    """The project of a shared trace."""

    session_id = serializers.UUIDField()


class ShareRun(UnshareRun):
    """The trace to share."""

    trace_id = serializers.UUIDField(required=False)


class Share(serializers.Serializer[None]):
    """What opens a shared trace."""

    share_token = serializers.UUIDField()


class TraceQuery(Within):
    """Which traces."""

    project_id = serializers.UUIDField()
    trace_ids = serializers.ListField(child=serializers.UUIDField(), required=False)
    trace_filter = serializers.CharField(required=False, help_text="Tests the root")
    tree_filter = serializers.CharField(required=False, help_text="Tests any run")
    selects = serializers.ListField(child=serializers.CharField(), required=False)


class TraceAggregates(serializers.Serializer[None]):
    """What all runs of a trace come to."""

    total_tokens = serializers.IntegerField(required=False)
    total_cost = serializers.FloatField(required=False, allow_null=True)
    first_token_time = serializers.DateTimeField(required=False, allow_null=True)


class Trace(serializers.Serializer[None]):
    """A trace by its root."""

    root_run = Run()
    trace_aggregates = TraceAggregates(required=False)


class TracePage(serializers.Serializer[None]):
    """One page of traces."""

    items = Trace(many=True)
    next_cursor = serializers.CharField(allow_null=True)


class ThreadQuery(Within):
    """Which threads."""

    project_id = serializers.UUIDField()
    filter = serializers.CharField(required=False, help_text="Tests the roots")
    trace_filter = serializers.CharField(required=False, help_text="Tests the roots")
    tree_filter = serializers.CharField(required=False, help_text="Tests any run")


class ThreadsStatsQuery(ThreadQuery):
    """Which threads, and which figures."""

    select = serializers.ListField(child=serializers.CharField())


class ThreadFigures(serializers.Serializer[None]):
    """Figures over traces of threads: those that were selected."""

    thread_count = serializers.IntegerField(required=False)
    trace_count = serializers.IntegerField(required=False)
    turns = serializers.IntegerField(required=False)
    first_start_time = serializers.DateTimeField(required=False)
    last_start_time = serializers.DateTimeField(required=False)
    last_end_time = serializers.DateTimeField(required=False, allow_null=True)
    latency_p50_seconds = serializers.FloatField(required=False, allow_null=True)
    latency_p99_seconds = serializers.FloatField(required=False, allow_null=True)
    first_token_p50_seconds = serializers.FloatField(required=False, allow_null=True)
    first_token_p99_seconds = serializers.FloatField(required=False, allow_null=True)
    error_rate = serializers.FloatField(required=False, allow_null=True)
    streaming_rate = serializers.FloatField(required=False, allow_null=True)
    median_tokens = serializers.IntegerField(required=False, allow_null=True)
    total_tokens = serializers.IntegerField(required=False)
    prompt_tokens = serializers.IntegerField(required=False)
    completion_tokens = serializers.IntegerField(required=False)
    total_cost = serializers.FloatField(required=False, allow_null=True)
    prompt_cost = serializers.FloatField(required=False, allow_null=True)
    completion_cost = serializers.FloatField(required=False, allow_null=True)
    feedback_stats = serializers.DictField(required=False)
    thread_feedback_stats = serializers.DictField(required=False)


class ThreadTrace(serializers.Serializer[None]):
    """A trace of a thread. Other fields are there if they are selected, named as a run's."""

    trace_id = serializers.UUIDField()
    turn_number = serializers.IntegerField(required=False, help_text="From 1, in the whole thread")
    latency = serializers.FloatField(required=False, allow_null=True, help_text="Seconds")


class ThreadTracePage(serializers.Serializer[None]):
    """One page of a thread's traces."""

    items = ThreadTrace(many=True)
    next_cursor = serializers.CharField(allow_null=True)


class ThreadV2(serializers.Serializer[None]):
    """A thread."""

    thread_id = serializers.CharField()
    count = serializers.IntegerField(help_text="Traces")
    num_errored_turns = serializers.IntegerField()
    start_time = serializers.DateTimeField()
    min_start_time = serializers.DateTimeField()
    max_start_time = serializers.DateTimeField()
    first_trace_id = serializers.UUIDField()
    last_trace_id = serializers.UUIDField()
    trace_id = serializers.UUIDField()
    first_inputs = serializers.CharField()
    last_outputs = serializers.CharField()
    last_error = serializers.CharField(allow_null=True)
    latency_p50 = serializers.FloatField(allow_null=True)
    latency_p99 = serializers.FloatField(allow_null=True)
    total_tokens = serializers.IntegerField()
    total_cost = serializers.FloatField(allow_null=True)
    feedback_stats = serializers.DictField()


class ThreadPage(serializers.Serializer[None]):
    """One page of threads."""

    items = ThreadV2(many=True)
    next_cursor = serializers.CharField(allow_null=True)


class SharedRunQuery(serializers.Serializer[None]):
    """Which fields of the open runs."""

    selects = serializers.ListField(child=serializers.CharField(), required=False)
    cursor = serializers.CharField(required=False)
