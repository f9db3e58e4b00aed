// The other side of the OPAQUE interoperability test: one call of @serenity-kit/opaque per line of JSON on standard input,
// {"side": "client" | "server", "call": name, "params": {...}} in, {"result": ...} or {"error": text} out.
// The first argument is the folder whose node_modules holds the package.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(`${process.argv[2]}/`);
const opaque = require("@serenity-kit/opaque");
await opaque.ready;

for await (const line of createInterface({ input: process.stdin })) {
  const { side, call, params } = JSON.parse(line);
  let answer;
  try {
    const result = params === null ? opaque[side][call]() : opaque[side][call](params);
    answer = { result: result ?? null };
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
