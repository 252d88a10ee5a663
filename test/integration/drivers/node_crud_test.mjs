// The official Node driver: handshake, documents, indexes, cursors, aggregation.
import assert from "node:assert/strict";
import {
  Binary, Code, Decimal128, Double, Int32, Long, MaxKey, MinKey, ObjectId, Timestamp, UUID,
} from "mongodb";
import { errorOf, onEveryServer } from "./support/servers.mjs";

const ids = (documents) => documents.map((document) => document._id);

onEveryServer((server) => {
  const fresh = (name, documents = []) => {
    const collection = server.collection(name);
    return documents.length ? collection.insertMany(documents).then(() => collection) : collection;
  };

  server.test("discovers the set and its primary", async () => {
    const hello = await server.client.db("admin").command({ isMaster: 1 });
    assert.equal(hello.ismaster, true);
    assert.ok(hello.setName);
    assert.ok(hello.maxWireVersion >= 8);
    assert.equal(hello.maxBsonObjectSize, 16 * 1024 * 1024);
    if (server.isSandbox) {
      assert.equal(hello.hosts.length, 3);
      assert.equal(hello.maxWireVersion, server.compat === "7.0" ? 21 : 8);
      assert.equal((await server.client.db("admin").command({ buildInfo: 1 })).version.startsWith(server.compat), true);
    }
    const secondary = await server.client.db("admin").command({ isMaster: 1 }, { readPreference: "secondary" });
    assert.equal(secondary.secondary, true);
    assert.deepEqual(secondary.hosts, hello.hosts);
  });

  server.test("carries every BSON type there and back", async () => {
    const collection = fresh("types");
    const document = {
      _id: new ObjectId(), double: new Double(1.5), nan: new Double(NaN), int: new Int32(-7), long: Long.MAX_VALUE,
      decimal: Decimal128.fromString("1234567890.0987654321"), date: new Date(1_700_000_000_123), yes: true, nothing: null,
      text: "räksmörgås \u{1F41F}", bytes: new Binary(Buffer.from([0, 1, 255]), 0), uuid: new UUID(),
      pattern: /^a.b$/i, code: new Code("return 1"), stamp: new Timestamp({ t: 5, i: 6 }), min: new MinKey(), max: new MaxKey(),
      nested: { deep: [{ a: [] }, {}, [1, [2]]] },
    };
    await collection.insertOne(document);
    const back = await collection.findOne({ _id: document._id }, { promoteValues: false });
    assert.deepEqual(Object.keys(back), Object.keys(document));
    for (const key of Object.keys(document)) {
      if (key === "nested") continue;
      assert.equal(back[key]?._bsontype, document[key]?._bsontype, key);
      assert.equal(String(back[key]), String(document[key]), key);
    }
    assert.deepEqual((await collection.findOne({ _id: document._id })).nested, document.nested);
    assert.equal((await collection.findOne({ long: Long.MAX_VALUE }))._id.equals(document._id), true);
  });

  server.test("finds by the common operators", async () => {
    const collection = await fresh("queries", [
      { _id: 1, n: 5, name: "ann", tags: ["a", "b"], at: { city: "Ulm" } },
      { _id: 2, n: 10, name: "bob", tags: ["b"], at: { city: "Bonn" }, scores: [{ k: 1, v: 9 }, { k: 2, v: 3 }] },
      { _id: 3, n: 15, name: "cid", tags: [], extra: null },
      { _id: 4, n: new Decimal128("20"), name: "Dan" },
    ]);
    const cases = [
      [{ n: { $gt: 5, $lte: 15 } }, [2, 3]],
      [{ n: 20 }, [4]],
      [{ n: { $in: [5, 20] } }, [1, 4]],
      [{ n: { $nin: [5, 20] } }, [2, 3]],
      [{ $or: [{ name: "ann" }, { "at.city": "Bonn" }] }, [1, 2]],
      [{ $nor: [{ name: "ann" }, { n: 15 }] }, [2, 4]],
      [{ extra: null }, [1, 2, 3, 4]],
      [{ extra: { $exists: true } }, [3]],
      [{ tags: "b" }, [1, 2]],
      [{ tags: { $all: ["a", "b"] } }, [1]],
      [{ tags: { $size: 0 } }, [3]],
      [{ scores: { $elemMatch: { k: 2, v: { $lt: 5 } } } }, [2]],
      [{ "scores.0.v": 9 }, [2]],
      [{ name: /^[a-c]/ }, [1, 2, 3]],
      [{ name: { $not: /a/i } }, [2, 3]],
      [{ n: { $mod: [10, 5] } }, [1, 3]],
      [{ n: { $type: "decimal" } }, [4]],
      [{ $expr: { $eq: ["$n", { $multiply: ["$_id", 5] }] } }, [1, 2, 3, 4]],
      [{ at: { city: "Ulm" } }, [1]],
      [{ n: { $ne: 5 }, name: { $gte: "b" } }, [2, 3]],
    ];
    for (const [filter, expected] of cases)
      assert.deepEqual(ids(await collection.find(filter).sort({ _id: 1 }).toArray()), expected, JSON.stringify(filter));
    const page = await collection.find({}, { projection: { name: 1, _id: 0 } }).sort({ n: -1 }).skip(1).limit(2).toArray();
    assert.deepEqual(page, [{ name: "cid" }, { name: "bob" }]);
    assert.deepEqual(await collection.findOne({ _id: 2 }, { projection: { scores: { $slice: 1 } } }).then((d) => d.scores),
      [{ k: 1, v: 9 }]);
    assert.equal(await collection.countDocuments({ n: { $gte: 10 } }), 3);
    assert.equal(await collection.estimatedDocumentCount(), 4);
    assert.deepEqual((await collection.distinct("tags")).sort(), ["a", "b"]);
    assert.equal((await errorOf(collection.find({ n: { $nope: 1 } }).toArray())).code, 2);
  });

  server.test("updates by the common modifiers", async () => {
    const collection = fresh("modifiers");
    const cases = [
      [{ a: 1 }, { $set: { "b.c": 2 } }, { a: 1, b: { c: 2 } }],
      [{ a: 1, b: 2 }, { $unset: { b: "" } }, { a: 1 }],
      [{ a: 1 }, { $inc: { a: 2, z: -1 } }, { a: 3, z: -1 }],
      [{ a: 3 }, { $mul: { a: 4 } }, { a: 12 }],
      [{ a: 3, b: 3 }, { $min: { a: 1 }, $max: { b: 9 } }, { a: 1, b: 9 }],
      [{ a: 3 }, { $rename: { a: "b" } }, { b: 3 }],
      [{ a: [3] }, { $push: { a: { $each: [1, 2], $sort: 1, $slice: 2 } } }, { a: [1, 2] }],
      [{ a: [1] }, { $push: { a: { $each: [0], $position: 0 } } }, { a: [0, 1] }],
      [{ a: [1] }, { $addToSet: { a: { $each: [1, 2] } } }, { a: [1, 2] }],
      [{ a: [1, 2, 3] }, { $pull: { a: { $gt: 1 } } }, { a: [1] }],
      [{ a: [1, 2, 1] }, { $pullAll: { a: [1] } }, { a: [2] }],
      [{ a: [1, 2] }, { $pop: { a: -1 } }, { a: [2] }],
      [{ a: 13 }, { $bit: { a: { and: 10 } } }, { a: 8 }],
      [{ a: 1 }, { $setOnInsert: { b: 1 } }, { a: 1 }],
      [{ a: [1, 2] }, { $inc: { "a.$[]": 10 } }, { a: [11, 12] }],
      [{ a: 2 }, [{ $set: { b: { $add: ["$a", 1] } } }, { $unset: "a" }], { b: 3 }],
    ];
    for (const [before, update, after] of cases) {
      await collection.deleteMany({});
      await collection.insertOne({ _id: 0, ...before });
      await collection.updateOne({ _id: 0 }, update);
      assert.deepEqual(await collection.findOne({}), { _id: 0, ...after }, JSON.stringify(update));
    }
    await collection.updateOne({ _id: 0 }, { $currentDate: { now: true, stamp: { $type: "timestamp" } } });
    const { now, stamp } = await collection.findOne({});
    assert.ok(now instanceof Date && stamp._bsontype === "Timestamp");
    await collection.replaceOne({ _id: 0 }, { a: [{ k: 1, v: 1 }, { k: 2, v: 1 }] });
    await collection.updateOne({ _id: 0, "a.k": 2 }, { $set: { "a.$.v": 7 } });
    await collection.updateOne({ _id: 0 }, { $inc: { "a.$[x].v": 1 } }, { arrayFilters: [{ "x.k": 1 }] });
    assert.deepEqual((await collection.findOne({})).a, [{ k: 1, v: 2 }, { k: 2, v: 7 }]);
  });

  server.test("tells what updates, upserts and deletes did", async () => {
    const collection = await fresh("results", [{ _id: 1, a: 1 }, { _id: 2, a: 1 }]);
    const same = await collection.updateMany({}, { $set: { a: 1 } });
    assert.deepEqual([same.matchedCount, same.modifiedCount, same.upsertedCount], [2, 0, 0]);
    const upsert = await collection.updateOne({ _id: 9, b: 4 }, { $set: { a: 1 }, $setOnInsert: { c: 3 } }, { upsert: true });
    assert.deepEqual([upsert.matchedCount, upsert.upsertedCount, upsert.upsertedId], [0, 1, 9]);
    assert.deepEqual(await collection.findOne({ _id: 9 }), { _id: 9, b: 4, a: 1, c: 3 });
    assert.equal((await collection.deleteOne({ a: 1 })).deletedCount, 1);
    assert.equal((await collection.deleteMany({})).deletedCount, 2);
    assert.equal((await errorOf(collection.updateOne({}, { $nope: { a: 1 } }))).code, 9);
    await collection.insertOne({ _id: 1, a: "text" });
    assert.equal((await errorOf(collection.updateOne({}, { $inc: { a: 1 } }))).code, 14);
    assert.equal((await errorOf(collection.updateOne({}, { $set: { _id: 5 } }))).code, 66);
  });

  server.test("finds and modifies in one step", async () => {
    const collection = await fresh("modify", [{ _id: 1, a: 1 }, { _id: 2, a: 2 }]);
    assert.deepEqual(await collection.findOneAndUpdate({}, { $inc: { a: 10 } }, { sort: { a: -1 } }), { _id: 2, a: 2 });
    assert.deepEqual(
      await collection.findOneAndUpdate({ _id: 1 }, { $set: { b: 1 } }, { returnDocument: "after", projection: { b: 1 } }),
      { _id: 1, b: 1 });
    assert.deepEqual(await collection.findOneAndReplace({ _id: 7 }, { x: 1 }, { upsert: true, returnDocument: "after" }),
      { _id: 7, x: 1 });
    assert.deepEqual(await collection.findOneAndDelete({ _id: 7 }), { _id: 7, x: 1 });
    assert.equal(await collection.findOneAndDelete({ _id: 7 }), null);
  });

  server.test("writes in bulk, ordered and unordered", async () => {
    const collection = fresh("bulk");
    const result = await collection.bulkWrite([
      { insertOne: { document: { _id: 1, a: 1 } } },
      { insertOne: { document: { _id: 2, a: 1 } } },
      { updateOne: { filter: { _id: 1 }, update: { $inc: { a: 1 } } } },
      { updateMany: { filter: {}, update: { $set: { b: 1 } } } },
      { replaceOne: { filter: { _id: 3 }, replacement: { c: 1 }, upsert: true } },
      { deleteOne: { filter: { _id: 2 } } },
    ]);
    assert.deepEqual([result.insertedCount, result.matchedCount, result.modifiedCount, result.upsertedCount, result.deletedCount],
      [2, 3, 3, 1, 1]);
    assert.deepEqual(result.upsertedIds, { 4: 3 });
    const documents = [{ _id: 10 }, { _id: 1 }, { _id: 11 }];
    const ordered = await errorOf(collection.insertMany(documents));
    assert.deepEqual([ordered.code, ordered.result.insertedCount, ordered.writeErrors[0].index], [11000, 1, 1]);
    const unordered = await errorOf(collection.insertMany(documents, { ordered: false }));
    assert.deepEqual([unordered.result.insertedCount, unordered.writeErrors.map((e) => e.index)], [1, [0, 1]]);
    const many = Array.from({ length: 25_000 }, (_, i) => ({ _id: 1000 + i, fill: "x".repeat(20) }));
    assert.equal((await collection.insertMany(many)).insertedCount, many.length);
    assert.equal(await collection.countDocuments({ _id: { $gte: 1000 } }), many.length);
  });

  server.test("keeps indexes and enforces unique ones", async () => {
    const collection = await fresh("indexes", [{ _id: 1, email: "a", team: 1 }]);
    assert.equal(await collection.createIndex({ email: 1, team: -1 }, { unique: true }), "email_1_team_-1");
    assert.deepEqual(await collection.createIndexes([{ key: { team: 1 } }, { key: { at: 1 }, name: "when", sparse: true }]),
      ["team_1", "when"]);
    const violation = await errorOf(collection.insertOne({ _id: 2, email: "a", team: 1 }));
    assert.equal(violation.code, 11000);
    assert.deepEqual(violation.keyPattern, { email: 1, team: -1 });
    if (server.atLeast(4, 4)) assert.deepEqual(violation.keyValue, { email: "a", team: 1 }, "4.2 names no fields here");
    await collection.insertOne({ _id: 2, email: "a", team: 2 });
    assert.equal((await errorOf(collection.updateOne({ _id: 2 }, { $set: { team: 1 } }))).code, 11000);
    assert.deepEqual((await collection.listIndexes().toArray()).map((index) => index.name).sort(),
      ["_id_", "email_1_team_-1", "team_1", "when"]);
    assert.equal((await errorOf(collection.createIndex({ team: 1 }, { name: "other" }))).code, 85);
    await collection.dropIndex("email_1_team_-1");
    await collection.insertOne({ _id: 3, email: "a", team: 1 });
    assert.equal((await errorOf(collection.createIndex({ email: 1 }, { unique: true }))).code, 11000);
    assert.equal((await errorOf(collection.dropIndex("nope_1"))).code, 27);
  });

  server.test("hands out a cursor in batches and kills the rest", async () => {
    await fresh("cursors", Array.from({ length: 250 }, (_, i) => ({ _id: i })));
    const client = await server.connect({ monitorCommands: true });
    const commands = [];
    client.on("commandSucceeded", (event) => commands.push(event.commandName));
    const own = server.collection("cursors", client);
    let n = 0;
    for await (const document of own.find().sort({ _id: 1 }).batchSize(100)) assert.equal(document._id, n++);
    assert.equal(n, 250);
    assert.deepEqual(commands, ["find", "getMore", "getMore"]);
    const cursor = own.find().batchSize(10);
    await cursor.next();
    const { id } = cursor;
    await cursor.close();
    assert.equal(commands.at(-1), "killCursors");
    const gone = await errorOf(server.client.db(server.database).command({ getMore: id, collection: "cursors" }));
    assert.equal(gone.code, 43);
    assert.equal((await own.find().limit(-3).toArray()).length, 3);
    assert.equal((await own.find().batchSize(0).toArray()).length, 250);
  });

  server.test("aggregates", async () => {
    const orders = await fresh("orders", [
      { _id: 1, who: "a", items: [{ sku: "x", n: 2 }, { sku: "y", n: 1 }] },
      { _id: 2, who: "b", items: [{ sku: "x", n: 5 }] },
      { _id: 3, who: "a", items: [] },
    ]);
    await fresh("prices", [{ _id: "x", price: 3 }, { _id: "y", price: 10 }]);
    const totals = await orders.aggregate([
      { $unwind: "$items" },
      { $lookup: { from: "prices", localField: "items.sku", foreignField: "_id", as: "price" } },
      { $addFields: { sum: { $multiply: ["$items.n", { $arrayElemAt: ["$price.price", 0] }] } } },
      { $group: { _id: "$who", sum: { $sum: "$sum" }, orders: { $addToSet: "$_id" }, most: { $max: "$items.n" } } },
      { $sort: { _id: 1 } },
      { $project: { sum: 1, most: 1, n: { $size: "$orders" } } },
    ]).toArray();
    assert.deepEqual(totals, [{ _id: "a", sum: 16, most: 2, n: 1 }, { _id: "b", sum: 15, most: 5, n: 1 }]);
    const [facets] = await orders.aggregate([{ $facet: { all: [{ $count: "n" }], a: [{ $match: { who: "a" } }, { $skip: 1 }] } }]).toArray();
    assert.deepEqual(facets, { all: [{ n: 3 }], a: [{ _id: 3, who: "a", items: [] }] });
    assert.deepEqual(await orders.aggregate([{ $sortByCount: "$who" }]).toArray(), [{ _id: "a", count: 2 }, { _id: "b", count: 1 }]);
    assert.equal((await orders.aggregate([{ $sort: { _id: -1 } }, { $limit: 2 }], { batchSize: 1 }).toArray()).length, 2);
    assert.equal((await errorOf(orders.aggregate([{ $nope: {} }]).toArray())).code, 40324);
  });

  server.test("lists, renames and drops collections and databases", async () => {
    const db = server.client.db(server.database);
    await db.createCollection("made");
    assert.equal((await errorOf(db.command({ create: "made", validationLevel: "off" }))).code, 48);
    await db.collection("made").insertOne({ _id: 1 });
    await db.collection("made").rename("renamed");
    assert.deepEqual(await db.collection("renamed").findOne(), { _id: 1 });
    assert.equal((await errorOf(db.collection("made").rename("renamed"))).code, 26);
    const names = (await db.listCollections({}, { nameOnly: true }).toArray()).map((c) => c.name);
    assert.ok(names.includes("renamed") && !names.includes("made"));
    assert.ok((await db.admin().listDatabases()).databases.some((d) => d.name === server.database));
    assert.equal(await db.collection("renamed").drop(), true);
    const other = server.client.db(`${server.database}_other`);
    await other.collection("c").insertOne({});
    await other.dropDatabase();
    assert.equal((await other.listCollections().toArray()).length, 0);
    assert.equal((await errorOf(db.command({ nope: 1 }))).code, 59);
  });

  server.test("waits for the majority it is asked for", async () => {
    const collection = server.collection("concern");
    assert.equal((await collection.insertOne({ _id: 1 }, { writeConcern: { w: "majority", j: true } })).acknowledged, true);
    assert.equal((await collection.find({}, { readConcern: { level: "majority" } }).toArray()).length, 1);
    const tooMany = await errorOf(collection.insertOne({ _id: 2 }, { writeConcern: { w: 50, wtimeoutMS: 1000 } }));
    assert.equal(tooMany.code, 100);
    assert.equal(await collection.countDocuments({}), 2, "the write stands all the same");
  });

  server.faultTest("times out without a majority, and goes on once it is back", async () => {
    const collection = server.collection("concern");
    const members = (await server.members()).filter((member) => !member.primary);
    for (const { member } of members) await server.fault({ sandbox: "stopReplication", member });
    const late = await errorOf(collection.insertOne({ _id: "late" }, { writeConcern: { w: "majority", wtimeoutMS: 50 } }));
    assert.equal(late.code, 64);
    const replicated = collection.insertOne({ _id: "later" }, { writeConcern: { w: "majority" } });
    for (const { member } of members) await server.fault({ sandbox: "startReplication", member });
    assert.equal((await replicated).insertedId, "later");
    assert.equal(await collection.countDocuments({ _id: /^late/ }, { readConcern: { level: "majority" } }), 2);
  });
});
