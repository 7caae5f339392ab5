// The routes under /api/v2, which the newest SDK tells its users to move to. Arguments: package, id of a stored trace.
import { all, client, finish, wordsAfter } from "./sdk.mjs";

const [trace] = wordsAfter;
const { id: project_id } = await client.readProject({ projectName: process.env.LANGSMITH_PROJECT });
const query = async (query) => (await all(client.runs.query({ project_ids: [project_id], selects: ["NAME"], ...query }))).map((run) => run.name);

await finish({
  project_id,
  run: await client.runs.retrieve(trace, { project_id, selects: ["NAME", "RUN_TYPE", "STATUS", "INPUTS", "OUTPUTS", "METADATA", "TAGS"] }),
  all: (await query({})).sort(),
  paged: (await query({ page_size: 2 })).sort(),
  roots: await query({ is_root: true }),
  failed: (await query({ has_error: true })).sort(),
  filtered: await query({ filter: 'eq(run_type, "tool")' }),
  of_trace: (await client.traces.listRuns(trace, { project_id, selects: ["NAME"] })).items.map((run) => run.name).sort(),
});
