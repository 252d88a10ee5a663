// Node, count only: what the official driver can read.
//   --mongo URI --database D --collection C --after TOKEN --count N
import { openStream, printResult, readArguments } from "./peer.mjs";

const options = readArguments();
const started = performance.now();
const { client, stream } = await openStream(options);
let seen = 0;
while (seen < options.count) {
  await stream.next();
  ++seen;
}
printResult(seen, (performance.now() - started) / 1000);
await client.close();
