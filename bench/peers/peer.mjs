// What the Node consumers share: arguments, the connections, and the one line of JSON that bench/run reads.
import { MongoClient } from "mongodb";

export function readArguments() {
  const values = {};
  for (let i = 2; i + 1 < process.argv.length; i += 2) values[process.argv[i].slice(2)] = process.argv[i + 1];
  return { ...values, count: Number(values.count) };
}

// The change stream of the benchmark's collection, after the token, with batches as large as the server gives.
export async function openStream({ mongo, database, collection, after }) {
  const client = await new MongoClient(mongo).connect();
  const stream = client.db(database).collection(collection).watch([], { startAfter: { _data: after }, batchSize: 100000 });
  return { client, stream };
}

export function printResult(events, seconds) {
  const { user, system } = process.cpuUsage();
  console.log(JSON.stringify({
    events,
    seconds,
    events_per_second: events / seconds,
    cpu_us_per_event: (user + system) / events,
    peak_rss_mb: process.resourceUsage().maxRSS / 1024,
  }));
}

export const CREATE_TABLES = (table) => `
  DROP TABLE IF EXISTS ${table};
  DROP TABLE IF EXISTS ${table}_token;
  CREATE TABLE ${table} (id text PRIMARY KEY, doc jsonb, token text NOT NULL);
  CREATE TABLE ${table}_token (one boolean PRIMARY KEY, token text NOT NULL)`;

export const UPSERT_TOKEN = (table) =>
  `INSERT INTO ${table}_token VALUES (true, $1) ON CONFLICT (one) DO UPDATE SET token = EXCLUDED.token`;
