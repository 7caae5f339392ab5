// Feedback that travels with the runs, as part of their multipart body: the newest SDK does so where it knows the trace.
import { client, finish, getCurrentRunTree, traceable } from "./sdk.mjs";

const answer = traceable(
  async () => {
    const { id, trace_id } = getCurrentRunTree();
    return { id, trace_id };
  },
  { name: "answer", client },
);
const { id, trace_id } = await answer();
const { id: feedback } = await client.createFeedback({ runId: id, traceId: trace_id, key: "helpful", score: true, comment: "5/5" });
await finish({ run: id, feedback });
