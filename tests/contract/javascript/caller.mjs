// One trace over two processes: this one calls service.mjs, and hands its place in the trace on in headers.
import { fork } from "node:child_process";
import { once } from "node:events";
import { client, finish, getCurrentRunTree, traceable } from "./sdk.mjs";

const environment = { ...process.env, LANGSMITH_PROJECT: "the service's own", LANGCHAIN_PROJECT: "the service's own" };
const service = fork("service.mjs", process.argv.slice(2), { env: environment });
const [port] = await once(service, "message");

const ask = traceable(
  async (question) => {
    const headers = getCurrentRunTree().toHeaders();
    const response = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", headers, body: question });
    return { answer: await response.text(), headers };
  },
  { name: "ask", metadata: { tenant: "kettles & co" }, tags: ["edge"], client },
);

const { headers } = await ask("where?");
service.send("end");
await once(service, "exit");
await finish({ headers, trace: headers["langsmith-trace"].split("Z")[1] });
