// createRun and updateRun as scripts use them: no trace_id, no dotted_order, an id at most.
import { randomUUID } from "node:crypto";
import { client, finish } from "./sdk.mjs";

const [root, child] = [randomUUID(), randomUUID()];
const project_name = process.env.LANGSMITH_PROJECT;

await client.createRun({ id: root, name: "job", run_type: "chain", inputs: { path: "a.csv" }, project_name });
await client.createRun({ id: child, name: "read file", run_type: "tool", inputs: { path: "a.csv" }, parent_run_id: root, project_name });
await client.updateRun(child, { outputs: { rows: 3 }, end_time: Date.now() });
await client.updateRun(root, { error: "Error: 3 rows are too few", end_time: Date.now() });
await finish({ root, child });
