// As much of OpenAI's HTTP API as wrapOpenAI needs: chat completions, whole and streamed, and responses.
import http from "node:http";

const usage = {
  prompt_tokens: 20,
  completion_tokens: 3,
  total_tokens: 23,
  prompt_tokens_details: { cached_tokens: 15, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 1, audio_tokens: 0 },
};

const completion = {
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1764000000,
  model: "gpt-4o-2024-08-06",
  choices: [
    { index: 0, finish_reason: "stop", logprobs: null, message: { role: "assistant", content: "On the stove.", refusal: null } },
  ],
  usage,
};

const chunk = (fields) => ({ ...completion, object: "chat.completion.chunk", usage: null, ...fields });
const delta = (delta, finish_reason = null) => chunk({ choices: [{ index: 0, delta, finish_reason }] });
const chunks = [
  delta({ role: "assistant", content: "" }),
  ...["On ", "the ", "stove."].map((content) => delta({ content })),
  delta({}, "stop"),
  chunk({ choices: [], usage }),
];

const response = {
  id: "resp_1",
  object: "response",
  created_at: 1764000000,
  model: "gpt-4o-2024-08-06",
  status: "completed",
  output: [
    {
      id: "msg_1",
      type: "message",
      role: "assistant",
      status: "completed",
      content: [{ type: "output_text", text: "On the stove.", annotations: [] }],
    },
  ],
  usage: {
    input_tokens: 20,
    output_tokens: 3,
    total_tokens: 23,
    input_tokens_details: { cached_tokens: 15 },
    output_tokens_details: { reasoning_tokens: 1 },
  },
};

function answer(path, body) {
  if (body.model === "no-such-model") return [404, { error: { message: "The model `no-such-model` does not exist" } }];
  return [200, path.endsWith("/responses") ? response : completion];
}

/** Listen on loopback and return the server, once it does. */
export async function startFakeOpenAI() {
  const server = http.createServer(async (request, reply) => {
    const body = JSON.parse((await request.toArray()).join(""));
    if (body.stream) {
      reply.writeHead(200, { "Content-Type": "text/event-stream" });
      for (const each of chunks) reply.write(`data: ${JSON.stringify(each)}\n\n`);
      return reply.end("data: [DONE]\n\n");
    }
    const [status, content] = answer(request.url, body);
    reply.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(content));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}
