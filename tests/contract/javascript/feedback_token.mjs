// A browser without a key gives feedback by a presigned address. Arguments: package, id of a stored trace.
import { all, client, eventually, finish, wordsAfter } from "./sdk.mjs";

const [runId] = wordsAfter;
const token = await client.createPresignedFeedbackToken(runId, "thumb", { expiration: { minutes: 5 } });
const listed = await all(client.listPresignedFeedbackTokens(runId));
const { status } = await fetch(`${token.url}?score=1&comment=nice`);
const [feedback] = await eventually(
  () => all(client.listFeedback({ runIds: [runId], feedbackKeys: ["thumb"] })),
  (found) => found.length === 1,
);
await finish({ token, listed: listed.map((found) => found.id), status, feedback });
