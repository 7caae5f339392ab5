// Feedback on a run, from its creation to its end. Arguments: package, id of a stored trace.
import { all, client, eventually, finish, wordsAfter } from "./sdk.mjs";

const [runId] = wordsAfter;
const sourceInfo = { judge: "a person" };

const given = await client.createFeedback(runId, "helpful", { score: 0.75, comment: "Found it.", sourceInfo });
const chosen = await client.createFeedback(runId, "category", { value: "kettles", correction: { category: "stoves" } });
const doomed = await client.createFeedback(runId, "doomed", { score: 0 });

const listed = await eventually(() => all(client.listFeedback({ runIds: [runId] })), (found) => found.length === 3);
const { feedback_stats } = await client.readRun(runId);

await client.updateFeedback(given.id, { score: 0.25, comment: "On second thought, no." });
await client.deleteFeedback(doomed.id);
const updated = await eventually(() => client.readFeedback(given.id), (found) => found.score === 0.25);
const remaining = await eventually(() => all(client.listFeedback({ runIds: [runId] })), (found) => found.length === 2);

await finish({
  ids: { helpful: given.id, category: chosen.id, doomed: doomed.id },
  listed,
  feedback_stats,
  updated,
  remaining: remaining.map((found) => found.key).sort(),
  by_key: (await all(client.listFeedback({ runIds: [runId], feedbackKeys: ["category"] }))).map((found) => found.id),
});
