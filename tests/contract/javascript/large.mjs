// Bodies of some size: 300 runs (more than one request), one of which carries 3 MB of text.
import { client, finish, traceable } from "./sdk.mjs";

const step = traceable(async (index) => ({ index, text: "kettle ".repeat(50) }), { name: "step", client });
const bulky = traceable(async () => ({ text: "ü".repeat(1_500_000) }), { name: "bulky", client });

const root = traceable(
  async () => {
    for (let index = 0; index < 298; index++) await step(index);
    return bulky();
  },
  { name: "root", client },
);
await root();
await finish();
