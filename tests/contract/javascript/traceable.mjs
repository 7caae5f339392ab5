// An agent of traceable functions: sync, async, nested, side by side, streaming and failing.
import { client, finish, getCurrentRunTree, traceable } from "./sdk.mjs";

const model = traceable(
  async ({ question }) => ({
    answer: question.toUpperCase(),
    usage_metadata: { input_tokens: 3, output_tokens: 4, total_tokens: 7 },
  }),
  { name: "model", run_type: "llm", metadata: { ls_provider: "openai", ls_model_name: "gpt-4o" }, client },
);

const lookUp = traceable(async (question) => model({ question }), {
  name: "look up",
  run_type: "tool",
  client,
});

const add = traceable((a, b) => a + b, { name: "add", client });

const fail = traceable(
  () => {
    throw new RangeError("out of kettles");
  },
  { name: "fail", run_type: "tool", client },
);

const words = traceable(
  async function* (text) {
    yield* text.split(" ");
  },
  { name: "words", client },
);

const tokens = traceable(
  async function* (prompt) {
    for (const token of ["It ", "is ", "on ", "the ", "stove."]) yield token;
  },
  { name: "tokens", run_type: "llm", aggregator: (chunks) => ({ text: chunks.join("") }), client },
);

const brokenStream = traceable(
  async function* () {
    yield "half";
    throw new Error("the line broke");
  },
  { name: "broken stream", client },
);

const abandonedStream = traceable(
  async function* () {
    yield "first";
    yield "never read";
  },
  { name: "abandoned stream", client },
);

async function drain(stream) {
  for await (const _ of await stream);
}

const agent = traceable(
  async (question) => {
    await Promise.all([lookUp(question), add(1, 2)]);
    await fail().catch(() => {});
    await drain(words("a b c"));
    await drain(tokens("Where?"));
    await drain(brokenStream()).catch(() => {});
    for await (const _ of await abandonedStream()) break;
    return { answer: "done", trace: getCurrentRunTree().trace_id };
  },
  { name: "agent", tags: ["prod", "beta"], metadata: { thread_id: "t-1", attempt: 2 }, client },
);

const { trace } = await agent("where is my kettle? 返金 🫖");
await finish({ trace });
