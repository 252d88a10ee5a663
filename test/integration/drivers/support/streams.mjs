// A change stream of the Node driver, read with deadlines.
import { within } from "./servers.mjs";

// A stream that is open on the server: from here on it sees everything.
export async function openStream(on, pipeline = [], options = {}) {
  const stream = on.watch(pipeline, { maxAwaitTimeMS: 200, ...options });
  await within(stream.tryNext(), "answer to the opening of a change stream");
  return stream;
}

// The next n events.
export async function take(stream, n) {
  const events = [];
  while (events.length < n) events.push(await within(stream.next(), `event ${events.length + 1} of ${n}`));
  return events;
}
