// A good Node consumer: up to 1,000 events and the token of the last one in a PostgreSQL transaction, set-based upserts.
//   --mongo URI --database D --collection C --after TOKEN --postgres URI --count N
import { EJSON } from "bson";
import pg from "pg";
import { CREATE_TABLES, openStream, printResult, readArguments, UPSERT_TOKEN } from "./peer.mjs";

const BATCH_MAX = 1000;
const options = readArguments();
const sql = new pg.Client(options.postgres);
await sql.connect();
await sql.query(CREATE_TABLES("node_batch"));

const started = performance.now();
const { client, stream } = await openStream(options);

async function write(events) {
  // One row a document: a statement can't touch a row twice, and only the newest state counts.
  const newest = new Map();
  for (const event of events) newest.set(EJSON.stringify(event.documentKey._id, { relaxed: false }), event);
  const upserts = [...newest].filter(([, event]) => event.fullDocument);
  const deletes = [...newest].filter(([, event]) => event.operationType === "delete").map(([id]) => id);
  await sql.query("BEGIN");
  if (upserts.length > 0) {
    await sql.query(
      `INSERT INTO node_batch AS t SELECT * FROM unnest($1::text[], $2::jsonb[], $3::text[])
       ON CONFLICT (id) DO UPDATE SET doc = EXCLUDED.doc, token = EXCLUDED.token WHERE t.token < EXCLUDED.token`,
      [upserts.map(([id]) => id), upserts.map(([, event]) => EJSON.stringify(event.fullDocument, { relaxed: false })),
       upserts.map(([, event]) => event._id._data)]);
  }
  if (deletes.length > 0) await sql.query("DELETE FROM node_batch WHERE id = ANY($1)", [deletes]);
  await sql.query(UPSERT_TOKEN("node_batch"), [events.at(-1)._id._data]);
  await sql.query("COMMIT");
}

let seen = 0;
let batch = [];
while (seen < options.count) {
  const event = await stream.next();
  ++seen;
  batch.push(event);
  if (batch.length === BATCH_MAX || seen === options.count) {
    await write(batch);
    batch = [];
  }
}
printResult(seen, (performance.now() - started) / 1000);
await client.close();
await sql.end();
