// A run shown to people without an account. Arguments: package, id of a stored trace.
import { client, finish, wordsAfter } from "./sdk.mjs";

const [runId] = wordsAfter;
const before = (await client.readRunSharedLink(runId)) ?? null;
const shared = await client.shareRun(runId);
const link = await client.readRunSharedLink(runId);
const token = shared.split("/").at(-2);
const endpoint = process.env.LANGSMITH_ENDPOINT;
const open = await fetch(`${endpoint}/public/${token}/run`);
const run = await open.json();
await client.unshareRun(runId);
const closed = await fetch(`${endpoint}/public/${token}/run`);
await finish({ before, shared, link, run, closed: closed.status, after: (await client.readRunSharedLink(runId)) ?? null });
