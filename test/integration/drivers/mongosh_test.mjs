// mongosh: what people type, from its first questions to the server to change streams and failover.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after } from "node:test";
import { SOURCE_DIR, onEveryServer, within } from "./support/servers.mjs";

const SHELL_MS_MAX = 50_000;

// A home of its own, so that it neither reads nor writes somebody's settings, and calls nobody.
const home = mkdtempSync(path.join(os.tmpdir(), "tidemark-mongosh-"));
mkdirSync(path.join(home, ".mongodb/mongosh"), { recursive: true });
writeFileSync(path.join(home, ".mongodb/mongosh/config"), JSON.stringify({ enableTelemetry: false, disableLogging: true }));
after(() => rmSync(home, { recursive: true, force: true }));

// What mongosh prints for the code. It starts as a person would start it, with the server's URI.
async function shell(uri, args) {
  const program = path.join(SOURCE_DIR, "node_modules/mongosh/bin/mongosh.js");
  const child = spawn(process.execPath, [program, uri, "--quiet", "--norc", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, HOME: home, USERPROFILE: home, NODE_OPTIONS: "", NODE_TEST_CONTEXT: "" },
  });
  let output = "";
  let errors = "";
  child.stdout.on("data", (data) => { output += data; });
  child.stderr.on("data", (data) => { errors += data; });
  const ended = new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  try {
    const code = await within(ended, "end of mongosh", SHELL_MS_MAX);
    if (code !== 0) throw new Error(`mongosh ended with ${code}: ${errors}${output}`);
  } finally {
    child.kill("SIGKILL");
  }
  return output.trim();
}

onEveryServer((server) => {
  const evaluate = (code, ...options) =>
    shell(server.uri, [...options, "--eval", `use("${server.database}")`, "--eval", code]);
  // Runs the function's text in mongosh; what it returns.
  const run = async (body) => JSON.parse(await evaluate(`(${body})()`, "--json=relaxed"));

  server.test("starts, and shows what the server is", async () => {
    const result = await run(() => ({
      hello: db.hello().isWritablePrimary,
      version: db.version(),
      state: rs.status().myState,
      members: rs.conf().members.length,
      ping: db.runCommand({ ping: 1 }).ok,
      parameter: db.adminCommand({ getParameter: 1, featureCompatibilityVersion: 1 }).ok,
      options: typeof db.adminCommand({ getCmdLineOpts: 1 }).parsed,
      uptime: db.serverStatus().uptime >= 0,
    }));
    assert.equal(result.hello, true);
    assert.equal(result.state, 1);
    assert.deepEqual([result.ping, result.parameter, result.options, result.uptime], [1, 1, "object", true]);
    if (server.isSandbox) assert.equal(result.members, 3);
    if (server.isSandbox) assert.ok(result.version.startsWith(server.compat));
  });

  server.test("takes the words of an interactive session", async () => {
    await server.collection("shown").insertOne({ _id: 1 });
    assert.match(await evaluate("show collections"), /\bshown\b/);
    assert.ok((await evaluate("show dbs")).includes(server.database));
    assert.match(await evaluate("db.shown.find()"), /\[ { _id: 1 } \]/);
  });

  server.test("works on documents, indexes and aggregations", async () => {
    const result = await run(() => {
      const inserted = db.shop.insertMany([{ _id: 1, n: 5, tags: ["a"] }, { _id: 2, n: 10 }, { _id: 3, n: 15 }]);
      const updated = db.shop.updateOne({ _id: 1 }, { $inc: { n: 1 }, $push: { tags: "b" } });
      const upserted = db.shop.updateOne({ _id: 9 }, { $setOnInsert: { n: 1 } }, { upsert: true });
      const replaced = db.shop.findOneAndReplace({ _id: 9 }, { n: 2 }, { returnDocument: "after" });
      const bulk = db.shop.bulkWrite([{ insertOne: { document: { _id: 4 } } }, { deleteOne: { filter: { _id: 9 } } }]);
      db.shop.createIndex({ n: 1 }, { unique: true });
      let code = 0;
      try {
        db.shop.insertOne({ n: 10 });
      } catch (error) {
        code = error.code;
      }
      return {
        inserted: Object.keys(inserted.insertedIds).length, updated: updated.modifiedCount, upserted: upserted.insertedId,
        replaced, bulk: [bulk.insertedCount, bulk.deletedCount], code,
        indexes: db.shop.getIndexes().map((index) => index.name),
        found: db.shop.find({ n: { $gte: 6 } }, { tags: 0 }).sort({ n: -1 }).limit(2).toArray(),
        sum: db.shop.aggregate([{ $group: { _id: null, n: { $sum: "$n" } } }]).toArray(),
        count: db.shop.countDocuments(), distinct: db.shop.distinct("tags"),
        batches: db.shop.find().batchSize(1).toArray().length,
      };
    });
    assert.deepEqual(result, {
      inserted: 3, updated: 1, upserted: 9, replaced: { _id: 9, n: 2 }, bulk: [1, 1], code: 11000, indexes: ["_id_", "n_1"],
      found: [{ _id: 3, n: 15 }, { _id: 2, n: 10 }], sum: [{ _id: null, n: 31 }], count: 4, distinct: ["a", "b"], batches: 4,
    });
  });

  server.test("commits and aborts transactions in a session", async () => {
    const result = await run(() => {
      db.createCollection("bank");
      const session = db.getMongo().startSession({ causalConsistency: true });
      const bank = session.getDatabase(db.getName()).bank;
      session.startTransaction({ readConcern: { level: "snapshot" }, writeConcern: { w: "majority" } });
      bank.insertOne({ _id: 1 });
      const outside = db.bank.countDocuments();
      session.commitTransaction();
      session.startTransaction();
      bank.insertOne({ _id: 2 });
      session.abortTransaction();
      session.endSession();
      return { outside, after: db.bank.find().toArray() };
    });
    assert.deepEqual(result, { outside: 0, after: [{ _id: 1 }] });
  });

  server.test("watches, and goes on where it was", async () => {
    const result = await run(() => {
      db.createCollection("watched");
      const next = (cursor) => {
        for (let i = 0; i < 1000; i++) {
          const event = cursor.tryNext();
          if (event) return event;
        }
        throw new Error("no event came");
      };
      const cursor = db.watched.watch([], { fullDocument: "updateLookup", maxAwaitTimeMS: 100 });
      cursor.tryNext();
      db.watched.insertOne({ _id: 1, a: 1 });
      db.watched.updateOne({ _id: 1 }, { $set: { a: 2 } });
      db.watched.deleteOne({ _id: 1 });
      const events = [next(cursor), next(cursor), next(cursor)];
      cursor.close();
      const again = db.watched.watch([], { resumeAfter: events[0]._id, maxAwaitTimeMS: 100 });
      const resumed = [next(again).operationType, next(again).operationType];
      again.close();
      const ended = db.watched.watch([], { startAfter: events[2]._id, maxAwaitTimeMS: 100 });
      db.watched.drop();
      return { events: events.map((event) => event.operationType), resumed, dropped: [next(ended).operationType, next(ended).operationType] };
    });
    assert.deepEqual(result, {
      events: ["insert", "update", "delete"], resumed: ["update", "delete"], dropped: ["drop", "invalidate"],
    });
  });

  server.faultTest("retries a write whose connection died, once", async () => {
    const result = await run(() => {
      db.retried.insertOne({ _id: 1, n: 0 });
      db.adminCommand({ configureFailPoint: "failCommand", mode: { times: 1 }, data: { failCommands: ["update"], closeConnection: true } });
      db.retried.updateOne({ _id: 1 }, { $inc: { n: 1 } });
      return db.retried.findOne();
    });
    assert.deepEqual(result, { _id: 1, n: 1 });
  });

  server.faultTest("goes through a step-down and a killed primary", async () => {
    const result = await run(() => {
      db.createCollection("through");
      const cursor = db.through.watch([], { maxAwaitTimeMS: 100 });
      cursor.tryNext();
      const term = () => rs.status().term;
      const before = Number(term());
      for (let i = 0; i < 40; i++) {
        if (i === 10) rs.stepDown(5, 4);
        if (i === 25) db.adminCommand({ sandbox: "kill", member: db.adminCommand({ sandbox: "status" }).members.find((m) => !m.primary).member });
        db.through.insertOne({ _id: i }, { writeConcern: { w: "majority" } });
      }
      const seen = [];
      for (let i = 0; i < 1000 && seen.length < 40; i++) {
        const event = cursor.tryNext();
        if (event) seen.push(event.documentKey._id);
      }
      return { seen, count: db.through.countDocuments(), newer: Number(term()) > before };
    });
    assert.deepEqual(result, { seen: Array.from({ length: 40 }, (_, i) => i), count: 40, newer: true });
  });
});
