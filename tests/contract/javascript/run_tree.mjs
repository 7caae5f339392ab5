// Runs made by hand, with RunTree.
import { RunTree, client, finish } from "./sdk.mjs";

const chat = new RunTree({
  name: "chat",
  run_type: "chain",
  inputs: { text: "Summarize this morning." },
  tags: ["by hand"],
  extra: { metadata: { conversation_id: "c-9" } },
  start_time: Date.UTC(2026, 10, 24, 12, 0, 0, 1),
  client,
});
await chat.postRun();

const model = chat.createChild({
  name: "model",
  run_type: "llm",
  inputs: { prompts: ["Summarize this morning."] },
  extra: { metadata: { ls_provider: "openai", ls_model_name: "gpt-4o" } },
});
await model.postRun();
await model.end({ choices: ["Quiet."], usage_metadata: { input_tokens: 10, output_tokens: 2, total_tokens: 12 } });
await model.patchRun();

const search = chat.createChild({ name: "search", run_type: "tool", inputs: { query: "morning" } });
await search.postRun();
await search.end(undefined, "Error: timed out");
await search.patchRun();

const unfinished = chat.createChild({ name: "unfinished", run_type: "tool", inputs: {} });
await unfinished.postRun();

await chat.end({ text: "Quiet." }, undefined, Date.UTC(2026, 10, 24, 12, 0, 2, 345));
await chat.patchRun();

const ids = { chat: chat.id, model: model.id, search: search.id, unfinished: unfinished.id };
await finish({ ids, trace: chat.trace_id, dotted_order: chat.dotted_order });
