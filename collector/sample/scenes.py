"""What happens in the sample traces: a shop's support agent, and the apps around it."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from collector.sample.telling import Run, Telling, document, message

MODELS = ("gpt-4.1", "gpt-4.1-mini", "claude-sonnet-4-5")
SYSTEM = message(
    "system",
    "You answer for Kiln & Co., a shop for pottery. Look an order up before you speak of it. Refunds over 100 EUR need a"
    " person's approval. Answer in the customer's language, in at most six sentences.",
)
QUESTIONS = (
    (
        "Where is my order {order}? It should have been here on Monday.",
        "Your order {order} left our workshop on Friday and is at the depot in Leipzig. It arrives **tomorrow before noon**.",
    ),
    (
        "The glaze on one of the bowls in {order} is cracked. Can I have my money back?",
        "I am sorry about the bowl. As it came broken, you get **38.00 EUR** back within three days; there is no need to send it in.",
    ),
    (
        "Which clay holds up in a gas kiln at 1,280 °C?",
        "Use a stoneware body such as *Westerwald 11*. It is dense at 1,220 °C and holds to 1,300 °C:\n\n| clay | dense at | up to |\n|---|---|---|\n| Westerwald 11 | 1,220 °C | 1,300 °C |\n| Raku K | 1,100 °C | 1,250 °C |",
    ),
    (
        "Could you change the address of {order} to Lindenallee 7, 04229 Leipzig?",
        "Done: {order} goes to Lindenallee 7, 04229 Leipzig. You get a new confirmation by mail.",
    ),
    (
        "注文 {order} の釉薬の色を変更できますか?",
        "はい、まだ焼成前ですので変更できます。ご希望の色をお知らせください。",
    ),
    ("我的订单{order}什么时候发货?", "您的订单{order}已于今天上午发货,预计三天内送达。"),
    ("أين طلبي {order}؟", "طلبك {order} في الطريق إليك، وسيصل غدًا قبل الظهر."),
    ("สั่งซื้อ {order} จะถึงเมื่อไร", "คำสั่งซื้อ {order} จะถึงพรุ่งนี้ก่อนเที่ยง"),
    (
        "Можно ли вернуть заказ {order}?",
        "Да, возврат возможен в течение 14 дней. Я отправил вам наклейку для посылки.",
    ),
    (
        "Do you also give courses for children?",
        "Yes: every Saturday from 10 to 12, from the age of six. A place costs 24 EUR, clay and firing included.",
    ),
)
POLICIES = (
    document(
        "Broken in transit: refund in full without a return, up to 100 EUR. Over it a person approves.",
        source="policies/refunds.md",
        score=0.91,
    ),
    document(
        "Addresses can be changed until a parcel is handed over to the carrier.",
        source="policies/shipping.md",
        score=0.84,
    ),
    document(
        "Stoneware is dense between 1,200 °C and 1,300 °C; earthenware melts there.",
        source="handbook/clays.md",
        score=0.79,
    ),
    document(
        "Courses take place on Saturdays. Groups of more than eight ask by mail.",
        source="courses.md",
        score=0.41,
    ),
)
TRACEBACK = """TimeoutError: the order service did not answer within 5 s
Traceback (most recent call last):
  File "/app/agent/tools.py", line 84, in lookup_order
    answer = client.get(f"/orders/{order_id}", timeout=5)
  File "/app/agent/http.py", line 31, in get
    raise TimeoutError("the order service did not answer within 5 s")
"""
SUMMARIES = ("invoice", "order confirmation", "delivery note", "letter of complaint")


def support_agent(tell: Telling) -> Run:
    """An agent's loop as LangGraph tells it: model, tools, model; now and then a tool fails."""
    question, answer = pick(tell.rng, QUESTIONS)
    model = tell.rng.choice(MODELS)
    messages = [SYSTEM, message("human", question)]
    fails = tell.rng.random() < 0.12
    with tell.run(
        "support_agent", "chain", {"messages": [messages[-1]]}, tags=("prod", "support")
    ) as root:
        call_id = f"call_{tell.rng.getrandbits(48):012x}"
        call = {
            "name": "lookup_order",
            "args": {"order_id": order(tell.rng)},
            "id": call_id,
            "type": "tool_call",
        }
        with tell.run(
            "agent",
            metadata={"langgraph_node": "agent", "langgraph_step": 1},
            tags=("graph:step:1",),
        ) as node:
            asked = tell.model("ChatOpenAI", model, messages, message("ai", "", tool_calls=[call]))
            with tell.run("should_continue", tags=("langsmith:hidden",)) as hidden:
                hidden["outputs"] = {"output": "tools"}
            node["outputs"] = {"messages": [asked]}
        messages.append(asked)
        with tell.run(
            "tools",
            metadata={"langgraph_node": "tools", "langgraph_step": 2},
            tags=("graph:step:2",),
        ) as node:
            with tell.run("lookup_order", "tool", call["args"]) as tool:
                tell.wait(5.0, 5.2) if fails else tell.wait(0.03, 0.4)
                if fails:
                    tool["error"] = node["error"] = root["error"] = TRACEBACK
                else:
                    found = {"status": "shipped", "depot": "Leipzig", "total": "38.00 EUR"}
                    result = message("tool", str(found), tool_call_id=call_id, name="lookup_order")
                    tool["outputs"] = {"output": result}
                    messages.append(result)
            if not fails:
                node["outputs"] = {"messages": [messages[-1]]}
        if fails:
            return root
        with tell.run(
            "agent",
            metadata={"langgraph_node": "agent", "langgraph_step": 3},
            tags=("graph:step:3",),
        ) as node:
            said = tell.model("ChatOpenAI", model, messages, message("ai", answer))
            node["outputs"] = {"messages": [said]}
        root["outputs"] = {"messages": [*messages, said]}
    if tell.rng.random() < 0.3:
        is_good = tell.rng.random() < 0.8
        tell.judge(
            root, "user_score", float(is_good), "" if is_good else "It did not answer what I asked."
        )
    return root


def docs_assistant(tell: Telling) -> Run:
    """Retrieval, a prompt, a streamed answer."""
    question, answer = pick(tell.rng, QUESTIONS)
    with tell.run("docs_assistant", "chain", {"question": question}, tags=("prod", "rag")) as root:
        with tell.run("VectorStoreRetriever", "retriever", {"query": question}) as run:
            tell.wait(0.02, 0.25)
            run["outputs"] = {"documents": tell.rng.sample(POLICIES, 3)}
        with tell.run("ChatPromptTemplate", "prompt", {"question": question}) as run:
            messages = [
                SYSTEM,
                message(
                    "human", f"Documents:\n{POLICIES[0]['page_content']}\n\nQuestion: {question}"
                ),
            ]
            run["outputs"] = {"messages": messages}
        said = tell.model("ChatAnthropic", "claude-sonnet-4-5", messages, message("ai", answer))
        with tell.run("StrOutputParser", "parser", {"input": said}) as run:
            run["outputs"] = {"output": answer}
        root["outputs"] = {"output": answer}
    if tell.rng.random() < 0.4:
        tell.judge(root, "faithfulness", round(tell.rng.uniform(0.5, 1.0), 2))
    return root


def extract_invoices(tell: Telling) -> Run:
    """A batch of alike calls, of which some fail."""
    count = tell.rng.randint(6, 14)
    with tell.run("extract_invoices", "chain", {"files": count}, tags=("batch",)) as root:
        failed = 0
        for number in range(count):
            text = f"A {tell.rng.choice(SUMMARIES)} of page {number + 1}: net 1{number}4.50 EUR, VAT 19 %, due in 14 days."
            with tell.run("extract", "chain", {"page": number + 1, "text": text}) as step:
                if tell.rng.random() < 0.08:
                    failed += 1
                    step["error"] = (
                        "OutputParserException: Invalid json output: {'net': 1O4.50\n  at line 1, column 9"
                    )
                    tell.wait(0.4, 0.9)
                    continue
                fields = (
                    f'{{"net": "1{number}4.50", "currency": "EUR", "vat": 0.19, "due_days": 14}}'
                )
                tell.model(
                    "ChatOpenAI",
                    "gpt-4.1-mini",
                    [message("human", text)],
                    message("ai", fields),
                    seconds=(0.3, 0.8),
                    is_streamed=False,
                )
                step["outputs"] = {"net": f"1{number}4.50", "currency": "EUR", "vat": 0.19}
        root["outputs"] = {"extracted": count - failed, "failed": failed}
    return root


def index_documents(tell: Telling) -> Run:
    """Many equal siblings: chunks that are embedded."""
    with tell.run(
        "index_documents", "chain", {"folder": "handbook/"}, tags=("batch", "nightly")
    ) as root:
        for number in range(37):
            metadata = {"ls_provider": "openai", "ls_model_name": "text-embedding-3-small"}
            with tell.run(
                "embed",
                "embedding",
                {"texts": [f"chunk {number}: {POLICIES[number % 4]['page_content']}"]},
                metadata=metadata,
            ) as run:
                tell.wait(0.05, 0.12)
                if number == 21:
                    run["error"] = "RateLimitError: 429, try again in 1 s"
                else:
                    run["outputs"] = {"vectors": [[0.0125, -0.0331, 0.0817]], "dimensions": 1536}
        root["outputs"] = {"chunks": 37, "failed": 1}
    return root


def refund_approval(tell: Telling) -> Run:
    """A graph that stops and asks a person."""
    question, _ = QUESTIONS[1]
    with tell.run(
        "refund_flow",
        "chain",
        {"messages": [message("human", question.format(order=order(tell.rng)))]},
        tags=("prod",),
    ) as root:
        with tell.run("decide", "chain", {"amount": "148.00 EUR"}) as run:
            tell.model(
                "ChatOpenAI",
                "gpt-4.1",
                [SYSTEM, message("human", question)],
                message("ai", "The amount is over 100 EUR. I ask a colleague."),
            )
            run["outputs"] = {"next": "approve"}
        with tell.run("approve", "chain", {"amount": "148.00 EUR"}) as run:
            tell.wait(0.01, 0.02)
            run |= {
                "status": "interrupted",
                "outputs": {"__interrupt__": [{"value": "Refund 148.00 EUR for a broken vase?"}]},
            }
        root |= {
            "status": "interrupted",
            "outputs": {"__interrupt__": [{"value": "Refund 148.00 EUR for a broken vase?"}]},
        }
    return root


def plan_research(tell: Telling) -> Run:
    """Agents below agents, deep and wide."""
    with tell.run(
        "research_agent", "chain", {"topic": "lead-free glazes"}, tags=("research",)
    ) as root:
        for topic in ("chemistry", "law", "suppliers"):
            with tell.run(f"research_{topic}", "chain", {"topic": topic}) as agent:
                for depth in range(tell.rng.randint(2, 4)):
                    with tell.run(
                        "web_search", "tool", {"query": f"lead-free glaze {topic} {depth}"}
                    ) as tool:
                        tell.wait(0.3, 1.6)
                        tool["outputs"] = {
                            "results": [
                                {
                                    "title": f"{topic.title()} of glazes, part {depth + 1}",
                                    "url": f"https://example.org/{topic}/{depth}",
                                }
                            ]
                            * 3
                        }
                    tell.model(
                        "ChatAnthropic",
                        "claude-sonnet-4-5",
                        [message("human", f"What matters of {topic}?")],
                        message(
                            "ai",
                            f"For {topic}: frits in place of lead oxide, and a firing 40 °C hotter.",
                        ),
                    )
                agent["outputs"] = {"notes": f"Notes on {topic}"}
        tell.model(
            "ChatAnthropic",
            "claude-sonnet-4-5",
            [message("human", "Write it up.")],
            message(
                "ai",
                "# Lead-free glazes\n\n1. **Chemistry**: boron frits\n2. **Law**: 1 mg/l at most\n3. **Suppliers**: three in the EU\n\n```python\nfiring = 1_280  # °C\n```",
            ),
            seconds=(4.0, 9.0),
        )
        root["outputs"] = {"report": "# Lead-free glazes"}
    return root


def still_running(tell: Telling) -> Run:
    """An agent of which only the start is known: with an old start it has died."""
    question, _ = pick(tell.rng, QUESTIONS)
    with (
        tell.run(
            "support_agent",
            "chain",
            {"messages": [message("human", question)]},
            tags=("prod", "support"),
        ) as root,
        tell.run("agent") as node,
        tell.run(
            "ChatOpenAI",
            "llm",
            {"messages": [[SYSTEM, message("human", question)]]},
            metadata={"ls_model_name": "gpt-4.1", "ls_provider": "openai"},
        ) as model,
    ):
        model["unended"] = node["unended"] = root["unended"] = True
    return root


def pick(rng: random.Random, pairs: tuple[tuple[str, str], ...]) -> tuple[str, str]:
    """Return one question and its answer, about one order."""
    question, answer = rng.choice(pairs)
    number = order(rng)
    return question.format(order=number), answer.format(order=number)


def order(rng: random.Random) -> str:
    return f"KC-2026-{rng.randrange(100_000):05}"


Scene = Callable[[Telling], Any]
# The project, the scene, and how often it comes.
SCENES: tuple[tuple[str, Scene, int], ...] = (
    ("shop-support", support_agent, 55),
    ("shop-support", refund_approval, 3),
    ("shop-docs", docs_assistant, 25),
    ("shop-batch", extract_invoices, 8),
    ("shop-batch", index_documents, 1),
    ("shop-research", plan_research, 6),
)
