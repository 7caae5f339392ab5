// What every script here begins and ends with. The first argument names the langsmith package:
// "langsmith" is the newest, "langsmith-0.3" and "langsmith-0.1" are what teams have not moved from.
import { subscribe } from "node:diagnostics_channel";

export const [, , sdk, ...wordsAfter] = process.argv;
const requests = [];

// undici tells here what it is about to send; the SDK notices nothing of it.
subscribe("undici:request:create", ({ request }) => {
  const headers = {};
  for (let i = 0; i < request.headers.length; i += 2) headers[request.headers[i].toLowerCase()] = request.headers[i + 1];
  requests.push({
    method: request.method,
    path: request.path,
    agent: headers["user-agent"],
    content_type: headers["content-type"],
    encoding: headers["content-encoding"] ?? null,
    is_chunked: request.body !== null && request.contentLength === null,
  });
});

export const { Client } = await import(sdk);
export const { RunTree } = await import(`${sdk}/run_trees`);
export const { traceable, getCurrentRunTree } = await import(`${sdk}/traceable`);
export const { withRunTree } = await import(`${sdk}/singletons/traceable`);

export const client = new Client();

export async function all(iterator) {
  const found = [];
  for await (const each of iterator) found.push(each);
  return found;
}

/** Call until the answer is as it will be in the end: what was sent is stored a moment after its 202. */
export async function eventually(call, isThere) {
  for (const end = Date.now() + 10_000; ; ) {
    const found = await call().catch((error) => error);
    if (isThere(found)) return found;
    if (Date.now() > end) throw new Error(`still ${found instanceof Error ? found.stack : JSON.stringify(found)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Wait until all runs are sent, and print what the test needs to know. */
export async function finish(values = {}) {
  // 0.12 serializes large values in a worker that does not keep the process alive: we would end before it does.
  const alive = setInterval(() => {}, 1000);
  await client.awaitPendingTraceBatches();
  clearInterval(alive);
  console.log(JSON.stringify({ ...values, requests }));
}
