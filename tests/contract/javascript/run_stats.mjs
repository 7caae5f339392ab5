// Statistics of the runs that traceable.mjs left in LANGSMITH_PROJECT.
import { client, finish } from "./sdk.mjs";

const projectName = process.env.LANGSMITH_PROJECT;
const { id } = await client.readProject({ projectName });
await finish({
  runs: await client.getRunStats({ projectIds: [id] }),
  roots: await client.getRunStats({ projectIds: [id], isRoot: true }),
  project: await client.readProject({ projectName, includeStats: true }),
});
