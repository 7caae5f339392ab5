"""A user's program: spans of OpenTelemetry's own SDK, by the conventions for generative AI, and none of LangSmith's."""

from __future__ import annotations

import json
import sys

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

exporter = OTLPSpanExporter(compression=Compression.Gzip)
processor = SimpleSpanProcessor if "one by one" in sys.argv else BatchSpanProcessor
provider = TracerProvider()
provider.add_span_processor(processor(exporter))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("shop", "1.0")

with tracer.start_as_current_span("order") as order:
    order.set_attributes({"session.id": "order-7", "user.id": "alice", "input.value": "a kettle"})
    with tracer.start_as_current_span("chat gpt-4o-mini", kind=trace.SpanKind.CLIENT) as chat:
        chat.set_attributes(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": "gpt-4o-mini",
                "gen_ai.request.temperature": 0.5,
                "gen_ai.usage.input_tokens": 30,
                "gen_ai.usage.output_tokens": 4,
                "gen_ai.usage.cache_read.input_tokens": 20,
                "gen_ai.input.messages": json.dumps(
                    [{"role": "user", "parts": [{"type": "text", "content": "a kettle?"}]}]
                ),
                "gen_ai.output.messages": json.dumps(
                    [{"role": "assistant", "parts": [{"type": "text", "content": "gladly"}]}]
                ),
            }
        )
        chat.add_event("cache.hit", {"key": "k1"})
    with tracer.start_as_current_span("GET /stock", links=[trace.Link(chat.get_span_context())]):
        pass
    try:
        with tracer.start_as_current_span("execute_tool pack") as tool:
            tool.set_attribute("gen_ai.tool.name", "pack")
            raise ValueError("no box")
    except ValueError:
        pass
provider.shutdown()
