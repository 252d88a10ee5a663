// The official Node driver: change streams of every scope, resuming, images, invalidation.
import assert from "node:assert/strict";
import { errorOf, onEveryServer, within } from "./support/servers.mjs";
import { openStream, take } from "./support/streams.mjs";

const kinds = (events) => events.map((event) => event.operationType);
const keys = (events) => events.map((event) => event.documentKey._id);

onEveryServer((server) => {
  const created = async (name, options) => {
    await server.client.db(server.database).createCollection(name, options);
    return server.collection(name);
  };

  server.test("sees inserts, updates, replacements and deletes", async () => {
    const collection = await created("kinds");
    const stream = await openStream(collection);
    await collection.insertOne({ _id: 1, a: 1, b: { c: 1 }, list: [1, 2, 3] });
    await collection.updateOne({ _id: 1 }, { $set: { "b.c": 2 }, $unset: { a: "" } });
    await collection.replaceOne({ _id: 1 }, { whole: true });
    await collection.deleteOne({ _id: 1 });
    const events = await take(stream, 4);
    await stream.close();
    assert.deepEqual(kinds(events), ["insert", "update", "replace", "delete"]);
    for (const event of events) {
      assert.deepEqual(event.documentKey, { _id: 1 });
      assert.deepEqual(event.ns, { db: server.database, coll: "kinds" });
      assert.equal(event.clusterTime._bsontype, "Timestamp");
      assert.equal("wallTime" in event, server.atLeast(6));
    }
    assert.deepEqual(events[0].fullDocument, { _id: 1, a: 1, b: { c: 1 }, list: [1, 2, 3] });
    assert.deepEqual(events[1].updateDescription.updatedFields, { "b.c": 2 });
    assert.deepEqual(events[1].updateDescription.removedFields, ["a"]);
    assert.deepEqual(events[2].fullDocument, { _id: 1, whole: true });
    assert.equal(events[3].fullDocument, undefined);
    const tokens = events.map((event) => event._id._data);
    assert.deepEqual([...tokens].sort(), tokens, "tokens sort as the events happened");
  });

  server.test("watches a database and the deployment", async () => {
    const db = server.client.db(server.database);
    const ours = { $match: { "ns.db": server.database } };
    const ofDatabase = await openStream(db);
    const ofAll = await openStream(server.client, [ours]);
    await created("one");
    await db.collection("one").insertOne({ _id: 1 });
    await db.collection("two").insertOne({ _id: 2 });
    for (const stream of [ofDatabase, ofAll]) {
      const events = await take(stream, 2);
      assert.deepEqual(events.map((event) => event.ns.coll), ["one", "two"]);
      await stream.close();
    }
  });

  server.test("filters and reshapes by a pipeline", async () => {
    const collection = await created("filtered");
    const stream = await openStream(collection, [
      { $match: { operationType: "insert", "fullDocument.n": { $gte: 2 } } },
      { $addFields: { twice: { $multiply: ["$fullDocument.n", 2] } } },
      { $project: { ns: 0 } },
    ]);
    await collection.insertMany([1, 2, 3].map((n) => ({ _id: n, n })));
    const events = await take(stream, 2);
    await stream.close();
    assert.deepEqual(events.map((event) => event.twice), [4, 6]);
    assert.equal(events[0].ns, undefined);
    const refused = await errorOf(openStream(collection, [{ $group: { _id: null } }]));
    assert.ok(refused.code > 0, String(refused));
    assert.equal((await errorOf(take(await openStreamOrStream(collection, [{ $project: { _id: 0 } }]), 1))).code, 280);
  });

  // The first read of a stream whose pipeline removes the token may already be the one that fails.
  async function openStreamOrStream(collection, pipeline) {
    const stream = await openStream(collection, pipeline);
    await collection.insertOne({});
    return stream;
  }

  for (const way of ["resumeAfter", "startAfter"]) {
    server.test(`goes on behind any event by ${way}`, async () => {
      const collection = await created(way);
      const stream = await openStream(collection);
      await collection.insertMany([0, 1, 2, 3, 4].map((n) => ({ _id: n })));
      const events = await take(stream, 5);
      await stream.close();
      for (const [i, event] of events.entries()) {
        const again = await openStreamWithEvents(collection, { [way]: event._id });
        await collection.insertOne({ _id: `after ${i}` });
        assert.deepEqual(keys(await take(again, 5 - i)).slice(0, 4 - i), [1, 2, 3, 4].slice(i));
        await again.close();
        await collection.deleteOne({ _id: `after ${i}` });
      }
    });
  }

  // No first read here: it could already hold an event.
  const openStreamWithEvents = async (collection, options) => collection.watch([], options);

  server.test("goes on from an idle stream's token and from a point in time", async () => {
    const collection = await created("idle");
    const stream = await openStream(collection);
    const idle = stream.resumeToken;
    assert.ok(idle?._data);
    await stream.close();
    await collection.insertMany([{ _id: 1 }, { _id: 2 }]);
    const again = await openStreamWithEvents(collection, { resumeAfter: idle });
    const events = await take(again, 2);
    await again.close();
    assert.deepEqual(keys(events), [1, 2]);
    const since = await openStreamWithEvents(collection, { startAtOperationTime: events[1].clusterTime });
    assert.equal(keys(await take(since, 1)).at(0), events[0].clusterTime.equals(events[1].clusterTime) ? 1 : 2);
    await since.close();
  });

  server.test("looks updated documents up", async () => {
    const collection = await created("lookup");
    await collection.insertMany([{ _id: 1, a: 1 }, { _id: 2 }], { writeConcern: { w: "majority" } });
    const stream = await openStream(collection, [], { fullDocument: "updateLookup" });
    await collection.updateOne({ _id: 1 }, { $set: { b: 2 } });
    assert.deepEqual((await take(stream, 1))[0].fullDocument, { _id: 1, a: 1, b: 2 });
    await collection.updateOne({ _id: 2 }, { $set: { b: 2 } });
    await collection.deleteOne({ _id: 2 });
    const [update] = await take(stream, 1);
    assert.equal(update.operationType, "update");
    await stream.close();
  });

  server.testSince(6, 0, "has the images before and after", async () => {
    const collection = await created("images", { changeStreamPreAndPostImages: { enabled: true } });
    const stream = await openStream(collection, [], { fullDocument: "required", fullDocumentBeforeChange: "required" });
    await collection.insertOne({ _id: 1, a: 1 });
    await collection.updateOne({ _id: 1 }, { $inc: { a: 1 } });
    await collection.updateOne({ _id: 1 }, { $inc: { a: 1 } });
    await collection.deleteOne({ _id: 1 });
    const events = await take(stream, 4);
    await stream.close();
    assert.deepEqual(events.map((event) => event.fullDocumentBeforeChange?.a), [undefined, 1, 2, 3]);
    assert.deepEqual(events.map((event) => event.fullDocument?.a), [1, 2, 3, undefined]);
    const without = await created("no_images");
    const strict = await openStream(without, [], { fullDocumentBeforeChange: "required" });
    await without.insertOne({ _id: 1 });
    await without.deleteOne({ _id: 1 });
    assert.equal((await errorOf(take(strict, 2))).code, 47);
    await strict.close();
  });

  server.testSince(6, 0, "shows expanded events when asked", async () => {
    const db = server.client.db(server.database);
    const stream = await openStream(db, [], { showExpandedEvents: true });
    const collection = await created("expanded");
    await collection.insertOne({ _id: 1 });
    await collection.createIndex({ a: 1 });
    await collection.dropIndex("a_1");
    const events = await take(stream, 4);
    await stream.close();
    assert.deepEqual(kinds(events), ["create", "insert", "createIndexes", "dropIndexes"]);
    assert.ok(events[0].collectionUUID);
  });

  server.test("ends with an invalidate on drop, and starts after it", async () => {
    const collection = await created("dropped");
    const stream = await openStream(collection);
    await collection.insertOne({ _id: 1 });
    await collection.drop();
    const events = await take(stream, 3);
    assert.deepEqual(kinds(events), ["insert", "drop", "invalidate"]);
    await within(errorOf(stream.next()), "end of the stream");
    const invalidate = events[2]._id;
    const refused = await errorOf(take(await openStreamWithEvents(collection, { resumeAfter: invalidate }), 1));
    assert.equal(refused.code, 260);
    const again = await openStreamWithEvents(collection, { startAfter: invalidate });
    await collection.insertOne({ _id: 2 });
    assert.deepEqual(keys(await take(again, 1)), [2]);
    await again.close();
  });

  server.test("ends with an invalidate on rename", async () => {
    const collection = await created("before_rename");
    const stream = await openStream(collection);
    await collection.rename("after_rename");
    const events = await take(stream, 2);
    assert.deepEqual(kinds(events), ["rename", "invalidate"]);
    assert.deepEqual(events[0].to, { db: server.database, coll: "after_rename" });
  });

  server.test("sees a transaction's writes together, once it is committed", async () => {
    const collection = await created("together");
    const stream = await openStream(collection);
    const session = server.client.startSession();
    session.startTransaction();
    await collection.insertOne({ _id: 1 }, { session });
    await collection.insertOne({ _id: 2 }, { session });
    await collection.insertOne({ _id: "outside" });
    await session.commitTransaction();
    await session.endSession();
    const events = await take(stream, 3);
    await stream.close();
    assert.deepEqual(keys(events), ["outside", 1, 2]);
    assert.ok(events[1].clusterTime.equals(events[2].clusterTime));
    assert.ok(events[1].lsid && events[1].txnNumber.toString() === events[2].txnNumber.toString());
  });

  server.test("reads on in batches", async () => {
    const collection = await created("batches");
    const stream = await openStream(collection, [], { batchSize: 7 });
    await collection.insertMany(Array.from({ length: 100 }, (_, i) => ({ _id: i })));
    assert.deepEqual(keys(await take(stream, 100)), Array.from({ length: 100 }, (_, i) => i));
    await stream.close();
  });

  server.test("emits events to listeners", async () => {
    const collection = await created("listeners");
    const stream = collection.watch([], { maxAwaitTimeMS: 200 });
    const seen = new Promise((resolve, reject) => {
      stream.on("change", resolve);
      stream.on("error", reject);
    });
    await within(new Promise((resolve) => stream.on("resumeTokenChanged", resolve)), "first token");
    await collection.insertOne({ _id: 1 });
    assert.equal((await within(seen, "event")).documentKey._id, 1);
    await stream.close();
  });

  server.faultTest("resumes by itself when its cursor is killed or fails", async () => {
    const collection = await created("survives");
    const stream = await openStream(collection);
    await collection.insertOne({ _id: 0 });
    assert.deepEqual(keys(await take(stream, 1)), [0]);
    const faults = [
      () => server.fault({ sandbox: "killCursors", changeStreams: true }),
      () => server.fault({ sandbox: "failStream", errorCode: 11600 }),
      () => server.fault({ sandbox: "failStream", errorCode: 6 }),
      () => server.failCommands(["getMore"], { closeConnection: true }),
    ];
    for (const [i, fault] of faults.entries()) {
      await fault();
      await collection.insertMany([{ _id: `${i}a` }, { _id: `${i}b` }]);
      assert.deepEqual(keys(await take(stream, 2)), [`${i}a`, `${i}b`]);
    }
    await stream.close();
  });

  server.faultTest("fails for good when its history is lost", async () => {
    const collection = await created("lost");
    const stream = await openStream(collection);
    const token = stream.resumeToken;
    await stream.close();
    await collection.insertMany([{ _id: 1 }, { _id: 2 }], { writeConcern: { w: 3 } });
    await server.fault({ sandbox: "truncateOplog", keep: 1 });
    await collection.insertOne({ _id: 3 }, { writeConcern: { w: 3 } });
    const error = await errorOf(take(await openStreamWithEvents(collection, { resumeAfter: token }), 1));
    assert.equal(error.code, server.atLeast(4, 4) ? 286 : 40576);
    if (server.atLeast(4, 4)) assert.ok(error.hasErrorLabel("NonResumableChangeStreamError"));
  });
});
