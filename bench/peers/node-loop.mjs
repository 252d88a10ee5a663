// The usual Node loop: for each event, write its row, then save its token. Durable, and one round trip after the other.
//   --mongo URI --database D --collection C --after TOKEN --postgres URI --count N
import { EJSON } from "bson";
import pg from "pg";
import { CREATE_TABLES, openStream, printResult, readArguments, UPSERT_TOKEN } from "./peer.mjs";

const options = readArguments();
const sql = new pg.Client(options.postgres);
await sql.connect();
await sql.query(CREATE_TABLES("node_loop"));

const started = performance.now();
const { client, stream } = await openStream(options);
let seen = 0;
while (seen < options.count) {
  const event = await stream.next();
  const id = EJSON.stringify(event.documentKey._id, { relaxed: false });
  if (event.operationType === "delete") {
    await sql.query("DELETE FROM node_loop WHERE id = $1", [id]);
  } else {
    await sql.query(
      "INSERT INTO node_loop VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET doc = EXCLUDED.doc, token = EXCLUDED.token",
      [id, EJSON.stringify(event.fullDocument, { relaxed: false }), event._id._data]);
  }
  await sql.query(UPSERT_TOKEN("node_loop"), [event._id._data]);
  ++seen;
}
printResult(seen, (performance.now() - started) / 1000);
await client.close();
await sql.end();
