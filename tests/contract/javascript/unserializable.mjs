// Values that JSON cannot hold. The SDKs send a sentence in their place, which is no JSON either.
import { client, finish, traceable } from "./sdk.mjs";

const circular = { name: "loop" };
circular.self = circular;

const hopeless = { count: 10n };
hopeless.self = hopeless;

const refusing = {
  toJSON() {
    throw new Error("no");
  },
};

await traceable(async () => circular, { name: "circular", client })({ question: "mended by the SDK?" });
await traceable(async () => hopeless, { name: "hopeless", client })({ question: "kept as text?" });
await traceable(async (value) => "fine", { name: "refusing", client })(refusing);
await traceable(async () => ({ big: 2n ** 70n, when: new Date(0), seen: new Set([1]), map: new Map([["a", 1]]), nan: NaN }), {
  name: "odd values",
  client,
})({ text: "nul \u0000, half a pair \ud83e" });
await finish();
