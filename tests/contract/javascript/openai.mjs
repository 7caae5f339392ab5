// The openai package under wrapOpenAI, against a server that answers as OpenAI does.
import OpenAI from "openai";
import { startFakeOpenAI } from "./fake_openai.mjs";
import { client, finish, traceable } from "./sdk.mjs";

const { wrapOpenAI } = await import(`${process.argv[2]}/wrappers`);

const server = await startFakeOpenAI();
const baseURL = `http://127.0.0.1:${server.address().port}/v1`;
const openai = wrapOpenAI(new OpenAI({ apiKey: "sk-none", baseURL, maxRetries: 0 }), { client });

const messages = [{ role: "user", content: "Where is my kettle?" }];
const ask = traceable(
  async () => {
    await openai.chat.completions.create({ model: "gpt-4o", messages, temperature: 0.5 });
    const stream = await openai.chat.completions.create({
      model: "gpt-4o",
      messages,
      stream: true,
      stream_options: { include_usage: true },
    });
    for await (const _ of stream);
    await openai.responses.create({ model: "gpt-4o", input: "Where is my kettle?" });
    await openai.chat.completions.create({ model: "no-such-model", messages }).catch(() => {});
    return "done";
  },
  { name: "ask", client },
);

await ask();
server.close();
server.closeAllConnections();
await finish();
