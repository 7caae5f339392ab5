// The filter language, as documented, on the runs that traceable.mjs left in LANGSMITH_PROJECT.
// Arguments: package, filters as a JSON list.
import { all, client, finish, wordsAfter } from "./sdk.mjs";

const projectName = process.env.LANGSMITH_PROJECT;
const found = {};
for (const filter of JSON.parse(wordsAfter[0])) {
  found[filter] = (await all(client.listRuns({ projectName, filter }))).map((run) => run.name).sort();
}
const refused = await all(client.listRuns({ projectName, filter: 'eq(name, "agent"' })).catch((error) => error);
await finish({ found, refused: refused.message ?? null });
