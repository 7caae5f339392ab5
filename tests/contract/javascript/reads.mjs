// Scripts that read: runs of a project, one run with its tree, projects.
// Arguments: package, id of a trace that traceable.mjs left in LANGSMITH_PROJECT.
import { all, client, finish, wordsAfter } from "./sdk.mjs";

const [trace] = wordsAfter;
const projectName = process.env.LANGSMITH_PROJECT;
const names = async (query) => (await all(client.listRuns({ projectName, ...query }))).map((run) => run.name).sort();
const tree = (run) => ({ name: run.name, children: (run.child_runs ?? []).map(tree) });
const nobody = "00000000-0000-4000-8000-000000000000";

const project = await client.readProject({ projectName });
await finish({
  run: await client.readRun(trace),
  tree: tree(await client.readRun(trace, { loadChildRuns: true })),
  missing_run: await client.readRun(nobody).catch((error) => error.message),
  all: await names({}),
  roots: await names({ isRoot: true }),
  of_trace: await names({ traceId: trace }),
  children: await names({ parentRunId: trace }),
  failed: await names({ error: true }),
  llms: await names({ runType: "llm" }),
  of_failing_traces: await names({ isRoot: true, treeFilter: 'eq(status, "error")' }),
  two: await names({ limit: 2 }),
  by_id: await names({ id: [trace] }),
  selected: (await all(client.listRuns({ projectName, isRoot: true, select: ["name", "tags"] })))[0],
  run_url: await client.getRunUrl({ runId: trace }),
  project,
  project_by_id: (await client.readProject({ projectId: project.id })).name,
  has_project: [await client.hasProject({ projectName }), await client.hasProject({ projectName: "no such project" })],
  projects: (await all(client.listProjects({ nameContains: projectName }))).map((found) => found.name),
  project_url: await client.getProjectUrl({ projectName }),
});
