// A project made, changed and deleted by script.
import { client, eventually, finish } from "./sdk.mjs";

const projectName = process.env.LANGSMITH_PROJECT;
const created = await client.createProject({ projectName, description: "tea", metadata: { team: "kettles" } });
const again = await client.createProject({ projectName }).catch((error) => error.message);
const upserted = await client.createProject({ projectName, upsert: true });
const updated = await client.updateProject(created.id, { description: "coffee", metadata: { team: "pots" } });
const read = await client.readProject({ projectId: created.id });
await client.deleteProject({ projectName });
const isGone = await eventually(() => client.hasProject({ projectName }), (isThere) => isThere === false);
await finish({ created, again, upserted, updated, read, is_gone: !isGone });
