// A LangGraph agent: one round through a tool, and out.
import { awaitAllCallbacks } from "@langchain/core/callbacks/promises";
import { END, START, Annotation, StateGraph } from "@langchain/langgraph";

const State = Annotation.Root({
  question: Annotation,
  notes: Annotation({ reducer: (old, added) => old.concat(added), default: () => [] }),
});

const graph = new StateGraph(State)
  .addNode("think", ({ notes }) => ({ notes: [`thought ${notes.length}`] }))
  .addNode("act", ({ question }) => ({ notes: [`looked for ${question}`] }))
  .addEdge(START, "think")
  .addConditionalEdges("think", ({ notes }) => (notes.length < 2 ? "act" : END))
  .addEdge("act", "think")
  .compile();

const settings = { runName: "agent", configurable: { thread_id: "t-3" }, metadata: { tenant: "a" } };
await graph.invoke({ question: "kettle" }, settings);
for await (const _ of await graph.stream({ question: "tea" }, { ...settings, runName: "streamed agent", streamMode: "updates" }));
await awaitAllCallbacks();
