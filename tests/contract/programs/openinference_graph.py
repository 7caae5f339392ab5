"""A user's program: a LangGraph agent and a chain, traced by OpenInference's instrumentation instead of callbacks."""

from __future__ import annotations

from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from openinference.instrumentation import using_attributes
from openinference.instrumentation.langchain import LangChainInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


class FakeModel(GenericFakeChatModel):
    """Says what it is told to, and may be given tools."""

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self


@tool
def weigh(order: int) -> int:
    """Weigh an order, in grams."""
    return 100 * order


provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
LangChainInstrumentor().instrument(tracer_provider=provider)

usage: Any = {"input_tokens": 30, "output_tokens": 4, "total_tokens": 34}
call: Any = {"name": "weigh", "args": {"order": 7}, "id": "call-1", "type": "tool_call"}
answers = iter(
    [
        AIMessage("", tool_calls=[call], usage_metadata=usage),
        AIMessage("It weighs 700 g.", usage_metadata=usage),
    ]
)
with using_attributes(
    session_id="order-7", user_id="alice", tags=["prod"], metadata={"shop": "kiln"}
):
    agent = create_agent(FakeModel(messages=answers), [weigh], name="clerk")
    agent.invoke({"messages": [("user", "How heavy?")]})

chain = (
    ChatPromptTemplate.from_messages([("system", "Be kind."), ("user", "{question}")])
    | FakeModel(messages=iter([AIMessage("so")]))
    | StrOutputParser()
).with_config(run_name="kind chain")
chain.invoke({"question": "why?"})
provider.shutdown()
