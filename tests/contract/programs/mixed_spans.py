"""A user's program: spans of its own within functions under @traceable, and one such function within a span."""

from __future__ import annotations

from langsmith import Client, traceable
from langsmith.run_helpers import get_current_run_tree
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("shop")
client = Client()


@traceable(client=client)
def answer(question: str) -> str:
    with tracer.start_as_current_span("look up") as span:
        span.set_attribute("input.value", question)
    return inner(question)


@traceable(client=client)
def inner(question: str) -> str:
    assert get_current_run_tree() is not None
    with tracer.start_as_current_span("query"), tracer.start_as_current_span("connect"):
        return question.upper()


answer("why?")
client.flush()
provider.shutdown()
