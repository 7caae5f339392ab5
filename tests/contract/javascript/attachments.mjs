// Runs with files: from a traceable's arguments, and from a RunTree's configuration.
import { RunTree, client, finish, sdk, traceable } from "./sdk.mjs";

const boundaryLike = "\r\n------LangSmithFormBoundary\r\nContent-Disposition: form-data; name=\"post.x\"\r\n\r\n";
const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);

const transcribe = traceable(async (recording) => `heard ${recording.length} bytes`, {
  name: "transcribe",
  extractAttachments: (recording) => [{ recording: ["audio/wav", recording] }, { seconds: 2 }],
  client,
});
await transcribe(bytes);

const run = new RunTree({
  name: "read page",
  run_type: "tool",
  inputs: { page: 1 },
  attachments: { "page 1": ["text/plain", new TextEncoder().encode(boundaryLike)], empty: ["image/png", new Uint8Array()] },
  client,
});
if (sdk === "langsmith-0.1") {
  // its RunTree leaves files out; its client sends them
  const { id, name, run_type, inputs, trace_id, dotted_order, start_time, project_name, attachments } = run;
  await client.createRun({ id, name, run_type, inputs, trace_id, dotted_order, start_time, project_name, attachments });
} else {
  await run.postRun();
}
await run.end({ text: "…" });
await run.patchRun();
await finish({ boundaryLike });
