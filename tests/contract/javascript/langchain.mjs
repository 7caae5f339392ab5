// @langchain/core, traced by the environment alone: nothing here knows of LangSmith but the last line.
import { awaitAllCallbacks } from "@langchain/core/callbacks/promises";
import { Document } from "@langchain/core/documents";
import { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { AIMessageChunk } from "@langchain/core/messages";
import { StringOutputParser } from "@langchain/core/output_parsers";
import { ChatGenerationChunk } from "@langchain/core/outputs";
import { ChatPromptTemplate } from "@langchain/core/prompts";
import { BaseRetriever } from "@langchain/core/retrievers";
import { RunnableLambda, RunnableParallel } from "@langchain/core/runnables";
import { tool } from "@langchain/core/tools";
import { FakeListChatModel, FakeStreamingChatModel } from "@langchain/core/utils/testing";

/** A model of one answer, which streams and reports its usage as those of providers do. */
class MeteredModel extends BaseChatModel {
  static lc_name = () => "MeteredModel";
  lc_namespace = ["tests"];

  _llmType() {
    return "metered";
  }

  getLsParams(options) {
    return { ...super.getLsParams(options), ls_provider: "openai", ls_model_name: "gpt-4o", ls_temperature: 0 };
  }

  invocationParams() {
    return { model: "gpt-4o", temperature: 0 };
  }

  async _generate(messages, options, runManager) {
    let whole;
    for await (const chunk of this._streamResponseChunks(messages, options, runManager)) {
      whole = whole?.concat(chunk) ?? chunk;
    }
    return { generations: [whole] };
  }

  async *_streamResponseChunks(messages, options, runManager) {
    const usage_metadata = {
      input_tokens: 20,
      output_tokens: 3,
      total_tokens: 23,
      input_token_details: { cache_read: 15 },
      output_token_details: { reasoning: 1 },
    };
    for (const text of ["On ", "the ", "stove."]) {
      yield new ChatGenerationChunk({ text, message: new AIMessageChunk(text) });
      await runManager?.handleLLMNewToken(text);
    }
    yield new ChatGenerationChunk({ text: "", message: new AIMessageChunk({ content: "", usage_metadata }) });
  }
}

class Shelf extends BaseRetriever {
  lc_namespace = ["tests"];

  static lc_name = () => "Shelf";

  async _getRelevantDocuments(query) {
    return [
      new Document({ pageContent: `${query}: second shelf`, metadata: { shelf: 2 } }),
      new Document({ pageContent: `${query}: stove`, metadata: { shelf: 0 } }),
    ];
  }
}

const named = (name, work) => RunnableLambda.from(work).withConfig({ runName: name });
const settings = { tags: ["prod"], metadata: { thread_id: "t-2" } };

const prompt = ChatPromptTemplate.fromMessages([
  ["system", "Answer from {context}."],
  ["human", "{question}"],
]);

const gather = RunnableParallel.from({
  context: named("pick question", ({ question }) => question).pipe(new Shelf()).pipe(named("join", (found) => found.map((it) => it.pageContent).join("; "))),
  question: named("same", ({ question }) => question),
});
const rag = gather.pipe(prompt).pipe(new MeteredModel({})).pipe(new StringOutputParser());
await rag.invoke({ question: "kettle" }, { ...settings, runName: "rag" });

for await (const _ of await new MeteredModel({}).stream("Where?", { runName: "streamed" }));

const double = named("double", (x) => x * 2);
await double.batch([1, 2, 3], { tags: ["batch"] });

const weather = tool(async ({ city }) => `Rain in ${city}`, {
  name: "weather",
  description: "Tell the weather.",
  schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
});
await weather.invoke({ city: "Bergen" });
await weather.invoke({ type: "tool_call", id: "call-1", name: "weather", args: { city: "Oslo" } }, { runName: "called weather" });

const broken = named("broken", () => {
  throw new TypeError("no kettle");
});
await named("before", (x) => x).pipe(broken).invoke(1, { runName: "failing" }).catch(() => {});

const list = new FakeListChatModel({ responses: ["first", "second"] });
await list.invoke("one", { runName: "list model" });
for await (const _ of await list.stream("two", { runName: "list model streamed" }));

const chunks = ["a", "b"].map((content) => new AIMessageChunk(content));
const streaming = new FakeStreamingChatModel({ chunks });
for await (const _ of await streaming.stream("go", { runName: "fake streaming" }));

await awaitAllCallbacks();
