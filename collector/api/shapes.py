"""What the API's objects look like, for `/api/schema/`. Nothing is serialized by these: see serializers.py."""

from __future__ import annotations

from rest_framework import serializers


class Run(serializers.Serializer[None]):
    """A run as LangSmith's clients know it. The project is `session_id`."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    run_type = serializers.CharField()
    trace_id = serializers.UUIDField()
    session_id = serializers.UUIDField()
    dotted_order = serializers.CharField()
    status = serializers.ChoiceField(["pending", "success", "error"])
    app_path = serializers.CharField(help_text="Path of the run's page")
    start_time = serializers.DateTimeField()
    end_time = serializers.DateTimeField(allow_null=True)
    first_token_time = serializers.DateTimeField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    inputs = serializers.DictField()
    outputs = serializers.DictField(allow_null=True)
    inputs_preview = serializers.CharField()
    outputs_preview = serializers.CharField()
    extra = serializers.DictField()
    events = serializers.ListField(child=serializers.DictField())
    serialized = serializers.DictField(allow_null=True)
    tags = serializers.ListField(child=serializers.CharField())
    parent_run_id = serializers.UUIDField(allow_null=True)
    parent_run_ids = serializers.ListField(child=serializers.UUIDField(), help_text="Root first")
    reference_example_id = serializers.UUIDField(allow_null=True)
    total_tokens = serializers.IntegerField()
    prompt_tokens = serializers.IntegerField()
    completion_tokens = serializers.IntegerField()
    total_cost = serializers.CharField(allow_null=True, help_text="Decimal, in USD")
    prompt_cost = serializers.CharField(allow_null=True)
    completion_cost = serializers.CharField(allow_null=True)
    prompt_token_details = serializers.DictField(child=serializers.IntegerField(), allow_null=True)
    completion_token_details = serializers.DictField(
        child=serializers.IntegerField(), allow_null=True
    )
    prompt_cost_details = serializers.DictField(
        child=serializers.CharField(), allow_null=True, help_text="Decimals, in USD"
    )
    completion_cost_details = serializers.DictField(child=serializers.CharField(), allow_null=True)
    price_model_id = serializers.UUIDField(
        allow_null=True, help_text="The row of the workspace's price table that was applied"
    )
    child_run_ids = serializers.ListField(
        child=serializers.UUIDField(),
        allow_null=True,
        help_text="Only where it is selected by name",
    )
    direct_child_run_ids = serializers.ListField(
        child=serializers.UUIDField(),
        allow_null=True,
        help_text="Only where it is selected by name",
    )
    feedback_stats = serializers.DictField()
    s3_urls = serializers.DictField(
        allow_null=True, help_text="attachment.<name> → presigned_url and mime_type"
    )
    share_token = serializers.UUIDField(allow_null=True)
    thread_id = serializers.CharField(allow_null=True)


class Cursors(serializers.Serializer[None]):
    """Where the next page begins; null on the last one."""

    next = serializers.CharField(allow_null=True)


class RunPage(serializers.Serializer[None]):
    """One page of runs."""

    runs = Run(many=True)
    cursors = Cursors()


class RunQuery(serializers.Serializer[None]):
    """Which runs. At least one of session, id, trace and parent_run is needed."""

    session = serializers.ListField(child=serializers.UUIDField(), required=False)
    id = serializers.ListField(child=serializers.UUIDField(), required=False)
    trace = serializers.UUIDField(required=False)
    parent_run = serializers.UUIDField(required=False)
    is_root = serializers.BooleanField(required=False)
    run_type = serializers.CharField(required=False)
    error = serializers.BooleanField(required=False)
    start_time = serializers.DateTimeField(required=False, help_text="Started at or after this")
    end_time = serializers.DateTimeField(required=False, help_text="Started at or before this")
    filter = serializers.CharField(required=False, help_text='For example eq(run_type, "llm")')
    trace_filter = serializers.CharField(required=False, help_text="Tests the run's root")
    tree_filter = serializers.CharField(required=False, help_text="Tests any run of the trace")
    select = serializers.ListField(child=serializers.CharField(), required=False)
    order = serializers.ChoiceField(["asc", "desc"], required=False)
    limit = serializers.IntegerField(required=False, min_value=1, max_value=100)
    cursor = serializers.CharField(required=False)


class RunStats(serializers.Serializer[None]):
    """Figures over runs. Latencies are seconds, costs decimal text in USD."""

    run_count = serializers.IntegerField()
    error_rate = serializers.FloatField(allow_null=True)
    streaming_rate = serializers.FloatField(allow_null=True)
    last_run_start_time = serializers.DateTimeField(allow_null=True)
    latency_p50 = serializers.FloatField(allow_null=True)
    latency_p99 = serializers.FloatField(allow_null=True)
    first_token_p50 = serializers.FloatField(allow_null=True)
    first_token_p99 = serializers.FloatField(allow_null=True)
    total_tokens = serializers.IntegerField()
    prompt_tokens = serializers.IntegerField()
    completion_tokens = serializers.IntegerField()
    median_tokens = serializers.IntegerField(allow_null=True)
    tokens_p99 = serializers.IntegerField(allow_null=True)
    prompt_tokens_p50 = serializers.IntegerField(allow_null=True)
    prompt_tokens_p99 = serializers.IntegerField(allow_null=True)
    completion_tokens_p50 = serializers.IntegerField(allow_null=True)
    completion_tokens_p99 = serializers.IntegerField(allow_null=True)
    total_cost = serializers.CharField(allow_null=True)
    prompt_cost = serializers.CharField(allow_null=True)
    completion_cost = serializers.CharField(allow_null=True)
    cost_p50 = serializers.CharField(allow_null=True)
    cost_p99 = serializers.CharField(allow_null=True)
    feedback_stats = serializers.DictField()
    run_facets = serializers.ListField(child=serializers.DictField(), help_text="Always empty")
    measured_runs = serializers.IntegerField(
        help_text="Percentiles and feedback are of so many, the newest"
    )
    is_capped = serializers.BooleanField(
        help_text="Counts and sums are of the newest too: all would have taken too long"
    )


class GroupBy(serializers.Serializer[None]):
    """What runs are grouped by."""

    attribute = serializers.ChoiceField(["name", "run_type", "tag", "metadata"])
    path = serializers.CharField(required=False, help_text="Of a value in the metadata")
    max_groups = serializers.IntegerField(required=False, help_text="5")


class RunStatsQuery(RunQuery):
    """Which runs, and by what to group their figures."""

    group_by = GroupBy(required=False)


class ThreadQuery(serializers.Serializer[None]):
    """Which threads of a project."""

    session_id = serializers.UUIDField()
    group_by = serializers.ChoiceField(["conversation"], required=False)
    filter = serializers.CharField(required=False, help_text="Tests the root of each trace")
    start_time = serializers.DateTimeField(required=False)
    end_time = serializers.DateTimeField(required=False)
    offset = serializers.IntegerField(required=False)
    limit = serializers.IntegerField(required=False, max_value=100, help_text="10")


class Thread(serializers.Serializer[None]):
    """The traces that name one thread."""

    group_key = serializers.CharField()
    thread_id = serializers.CharField()
    filter = serializers.CharField(help_text="Finds the runs of the thread")
    count = serializers.IntegerField(help_text="Traces")
    total_tokens = serializers.IntegerField()
    total_cost = serializers.CharField(allow_null=True)
    min_start_time = serializers.DateTimeField()
    max_start_time = serializers.DateTimeField()
    latency_p50 = serializers.FloatField(allow_null=True)
    latency_p99 = serializers.FloatField(allow_null=True)
    feedback_stats = serializers.DictField()
    first_inputs = serializers.CharField()
    last_outputs = serializers.CharField()
    last_error = serializers.CharField(allow_null=True)


class ThreadPage(serializers.Serializer[None]):
    """Some threads, the one with the newest trace first."""

    groups = Thread(many=True)
    total = serializers.IntegerField()


class ThreadStats(RunStats):
    """Figures over the traces of all threads."""

    group_count = serializers.IntegerField(help_text="Threads")


class Session(serializers.Serializer[None]):
    """A project. With `include_stats` it has the fields of RunStats too, and `session_feedback_stats`."""

    id = serializers.UUIDField()
    tenant_id = serializers.UUIDField(help_text="The workspace")
    name = serializers.CharField()
    description = serializers.CharField(allow_null=True)
    start_time = serializers.DateTimeField(help_text="When it was made")
    end_time = serializers.DateTimeField(allow_null=True)
    extra = serializers.DictField(allow_null=True)
    reference_dataset_id = serializers.UUIDField(allow_null=True)
    default_dataset_id = serializers.UUIDField(allow_null=True)


class SessionUpdate(serializers.Serializer[None]):
    """What a project can be given. Null leaves a field as it is."""

    name = serializers.CharField(required=False, allow_null=True, max_length=512)
    description = serializers.CharField(required=False, allow_null=True)
    extra = serializers.DictField(required=False, allow_null=True, help_text="Keys are added")
    end_time = serializers.DateTimeField(required=False, allow_null=True)
    default_dataset_id = serializers.UUIDField(required=False, allow_null=True)


class SessionCreate(SessionUpdate):
    """A new project. Other fields that the SDKs send are ignored."""

    name = serializers.CharField(max_length=512)
    id = serializers.UUIDField(required=False)
    start_time = serializers.DateTimeField(required=False)
    reference_dataset_id = serializers.UUIDField(required=False, allow_null=True)


class ResolvedSession(serializers.Serializer[None]):
    """The project of an address."""

    session_id = serializers.UUIDField()


class Settings(serializers.Serializer[None]):
    """The workspace of a key."""

    id = serializers.UUIDField()
    display_name = serializers.CharField()
    created_at = serializers.DateTimeField()
    tenant_handle = serializers.CharField(allow_null=True)


class Organization(serializers.Serializer[None]):
    """The workspace once more: there is nothing above it."""

    id = serializers.UUIDField()
    display_name = serializers.CharField()
    created_at = serializers.DateTimeField()
    is_personal = serializers.BooleanField()
    disabled = serializers.BooleanField()


class Tenant(Settings):
    """The workspace in a list."""

    is_personal = serializers.BooleanField()
    is_deleted = serializers.BooleanField()
    organization_id = serializers.UUIDField()
