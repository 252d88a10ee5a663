// The usual Node consumer: one message at a time is parsed, classified, inserted and acknowledged; a duplicate is success.
//   --amqp URI --queue Q --mongo URI --database D --collection C --count N
import amqp from "amqplib";
import { MongoClient } from "mongodb";
import { printResult, readArguments } from "./peer.mjs";

const DUPLICATE_KEY = 11000;
const options = readArguments();
const client = await new MongoClient(options.mongo).connect();
const events = client.db(options.database).collection(options.collection, { writeConcern: { w: "majority" } });
await events.createIndex({ "raw.source": 1, "raw.id": 1 }, { unique: true });

function severity(event) {
  if (event.data?.mag >= 7) return "major";
  return event.data?.mag >= 4 ? "light" : "minor";
}

const started = performance.now();
const connection = await amqp.connect(options.amqp);
const channel = await connection.createChannel();
await channel.prefetch(1);
let seen = 0;
await new Promise((resolve, reject) => {
  channel.consume(options.queue, async (message) => {
    try {
      const raw = JSON.parse(message.content.toString());
      const now = new Date();
      await events.insertOne({ raw, severity: severity(raw), category: "quake", tags: [], receivedAt: now, processedAt: now })
        .catch((error) => {
          if (error.code !== DUPLICATE_KEY) throw error;
        });
      channel.ack(message);
      if (++seen === options.count) resolve();
    } catch (error) {
      reject(error);
    }
  });
});
printResult(seen, (performance.now() - started) / 1000);
await channel.close();
await connection.close();
await client.close();
