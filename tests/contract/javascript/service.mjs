// The other process of caller.mjs: it goes on with the trace that a request's headers name.
import http from "node:http";
import { once } from "node:events";
import { RunTree, client, traceable, withRunTree } from "./sdk.mjs";

const search = traceable(async (text) => [`${text} on the stove`], { name: "search", run_type: "retriever" });
const serve = traceable(async (text) => (await search(text))[0], { name: "serve" });

const server = http.createServer(async (request, response) => {
  const body = (await request.toArray()).join("");
  const caller = RunTree.fromHeaders(request.headers, { client });
  response.end(await withRunTree(caller, () => serve(body)));
});
server.listen(0, "127.0.0.1", () => process.send(server.address().port));

await once(process, "message");
await client.awaitPendingTraceBatches();
process.exit();
