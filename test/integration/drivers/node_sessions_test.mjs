// The official Node driver: sessions, retryable writes, transactions.
import assert from "node:assert/strict";
import { Long } from "mongodb";
import { errorOf, eventually, onEveryServer } from "./support/servers.mjs";

const MAJORITY = { writeConcern: { w: "majority" } };

onEveryServer((server) => {
  const created = async (name, documents = []) => {
    await server.client.db(server.database).createCollection(name);
    if (documents.length) await server.collection(name).insertMany(documents, MAJORITY);
    return server.collection(name);
  };

  server.test("sends sessions, and reads its own writes from a secondary", async () => {
    const client = await server.connect({ monitorCommands: true });
    const started = [];
    client.on("commandStarted", (event) => started.push(event));
    await created("causal");
    await client.withSession({ causalConsistency: true }, async (session) => {
      const collection = server.collection("causal", client);
      for (let i = 0; i < 20; i++) {
        await collection.insertOne({ _id: i }, { session, ...MAJORITY });
        const read = await collection.findOne({ _id: i }, { session, readPreference: "secondary", readConcern: { level: "majority" } });
        assert.deepEqual(read, { _id: i });
      }
      const finds = started.filter((event) => event.commandName === "find");
      assert.equal(finds.length, 20);
      assert.ok(finds.every((event) => event.command.readConcern.afterClusterTime));
      assert.equal(new Set(started.map((event) => event.command.lsid.id.toString("hex"))).size, 1, "one session for all");
    });
  });

  server.faultTest("applies a retried write once when the connection dies", async () => {
    const collection = await created("retried", [{ _id: "counter", n: 0 }]);
    const writes = [
      ["insert", () => collection.insertOne({ _id: "one" })],
      ["insert", () => collection.insertMany([{ _id: "many 1" }, { _id: "many 2" }])],
      ["update", () => collection.updateOne({ _id: "counter" }, { $inc: { n: 1 } })],
      ["findAndModify", () => collection.findOneAndUpdate({ _id: "counter" }, { $inc: { n: 1 } })],
      ["update", () => collection.bulkWrite([1, 2].map(() => ({ updateOne: { filter: { _id: "counter" }, update: { $inc: { n: 1 } } } })))],
      ["delete", () => collection.deleteOne({ _id: "one" })],
    ];
    for (const [command, write] of writes) {
      await server.failCommands([command], { closeConnection: true });
      await write();
    }
    assert.equal((await collection.findOne({ _id: "counter" })).n, 4);
    assert.deepEqual((await collection.find().sort({ _id: 1 }).toArray()).map((d) => d._id), ["counter", "many 1", "many 2"]);
  });

  server.faultTest("doesn't apply a write again that was done, but not acknowledged", async () => {
    const collection = await created("acknowledged", [{ _id: "counter", n: 0 }]);
    const client = await server.connect({ monitorCommands: true });
    const started = [];
    client.on("commandStarted", (event) => event.commandName === "update" && started.push(event.command));
    const own = server.collection("acknowledged", client);
    await server.failCommands(["update"], { writeConcernError: { code: 91, errmsg: "shutting down", errorLabels: ["RetryableWriteError"] } });
    await own.updateOne({ _id: "counter" }, { $inc: { n: 1 } });
    assert.equal((await collection.findOne({ _id: "counter" })).n, 1);
    assert.equal(started.length, 2, "it was sent twice");
    assert.equal(started[0].txnNumber.toString(), started[1].txnNumber.toString());
  });

  server.test("answers a statement that it has already executed as before", async () => {
    const collection = await created("executed");
    await collection.insertOne({ _id: 0 });
    const client = await server.connect();
    const session = client.startSession();
    const command = { update: "executed", txnNumber: Long.fromNumber(77), updates: [{ q: { _id: 0 }, u: { $inc: { n: 1 } } }] };
    const send = (change = {}) => client.db(server.database).command({ ...command, ...change }, { session });
    const first = await send();
    const second = await send();
    assert.deepEqual([first.nModified, second.nModified], [1, 1]);
    assert.equal((await collection.findOne({ _id: 0 })).n, 1);
    const older = await errorOf(send({ txnNumber: Long.fromNumber(76) }));
    assert.equal(older.code, 225);
    await session.endSession();
  });

  server.test("commits transactions", async () => {
    const accounts = await created("accounts", [{ _id: "a", n: 100 }, { _id: "b", n: 0 }]);
    const log = await created("log");
    await server.client.withSession((session) => session.withTransaction(async () => {
      await accounts.updateOne({ _id: "a" }, { $inc: { n: -30 } }, { session });
      await accounts.updateOne({ _id: "b" }, { $inc: { n: 30 } }, { session });
      await log.insertOne({ _id: 1, moved: 30 }, { session });
      assert.equal((await accounts.findOne({ _id: "b" }, { session })).n, 30, "it sees its own writes");
      assert.equal((await accounts.findOne({ _id: "b" })).n, 0, "nobody else does");
      const [sum] = await accounts.aggregate([{ $group: { _id: null, n: { $sum: "$n" } } }], { session }).toArray();
      assert.equal(sum.n, 100);
    }, { readConcern: { level: "snapshot" }, ...MAJORITY }));
    assert.deepEqual(await accounts.find().sort({ _id: 1 }).toArray(), [{ _id: "a", n: 70 }, { _id: "b", n: 30 }]);
    assert.equal(await log.countDocuments(), 1);
  });

  server.test("aborts transactions", async () => {
    const collection = await created("aborted", [{ _id: 1, n: 1 }]);
    const session = server.client.startSession();
    session.startTransaction();
    await collection.updateOne({ _id: 1 }, { $set: { n: 2 } }, { session });
    await collection.insertOne({ _id: 2 }, { session });
    await session.abortTransaction();
    assert.deepEqual(await collection.find().toArray(), [{ _id: 1, n: 1 }]);
    session.startTransaction();
    await collection.insertOne({ _id: 3 }, { session });
    const duplicate = await errorOf(collection.insertOne({ _id: 1 }, { session }));
    assert.equal(duplicate.code, 11000);
    assert.equal((await errorOf(collection.findOne({}, { session }))).code, 251, "an error has ended it");
    await session.abortTransaction();
    assert.equal(await collection.countDocuments(), 1);
    await session.endSession();
  });

  server.test("lets one of two conflicting transactions win", async () => {
    const collection = await created("conflict", [{ _id: 1, n: 0 }]);
    const [first, second] = [server.client.startSession(), server.client.startSession()];
    first.startTransaction();
    second.startTransaction();
    await collection.updateOne({ _id: 1 }, { $inc: { n: 1 } }, { session: first });
    const error = await errorOf(collection.updateOne({ _id: 1 }, { $inc: { n: 1 } }, { session: second }));
    assert.equal(error.code, 112);
    assert.ok(error.hasErrorLabel("TransientTransactionError"));
    await second.abortTransaction();
    await first.commitTransaction();
    assert.equal((await collection.findOne({ _id: 1 })).n, 1);
    await Promise.all([first.endSession(), second.endSession()]);
  });

  server.test("counts right when transactions race", async () => {
    const collection = await created("race", [{ _id: 1, n: 0 }]);
    const increment = () => server.client.withSession((session) => session.withTransaction(async () => {
      const { n } = await collection.findOne({ _id: 1 }, { session });
      await collection.updateOne({ _id: 1 }, { $set: { n: n + 1 } }, { session });
    }));
    await Promise.all(Array.from({ length: 8 }, increment));
    assert.equal((await collection.findOne({ _id: 1 })).n, 8);
  });

  server.faultTest("repeats a transaction that failed for a while", async () => {
    const collection = await created("repeated", [{ _id: 1, n: 0 }]);
    let tries = 0;
    await server.failCommands(["update"], { errorCode: 251, errorLabels: ["TransientTransactionError"] });
    await server.client.withSession((session) => session.withTransaction(async () => {
      tries++;
      await collection.updateOne({ _id: 1 }, { $inc: { n: 1 } }, { session });
    }));
    assert.equal(tries, 2);
    assert.equal((await collection.findOne({ _id: 1 })).n, 1);
  });

  server.faultTest("commits once when the answer to the commit is lost", async () => {
    const collection = await created("unknown_commit", [{ _id: 1, n: 0 }]);
    for (const data of [{ closeConnection: true }, { errorCode: 91 },
      { writeConcernError: { code: 91, errmsg: "shutting down", errorLabels: ["RetryableWriteError"] } }]) {
      await server.failCommands(["commitTransaction"], data);
      const session = server.client.startSession();
      session.startTransaction(MAJORITY);
      await collection.updateOne({ _id: 1 }, { $inc: { n: 1 } }, { session });
      await session.commitTransaction();
      await session.commitTransaction();
      await session.endSession();
    }
    assert.equal((await collection.findOne({ _id: 1 })).n, 3);
  });

  server.faultTest("drops the transaction of a primary that stepped down, and repeats it", async () => {
    const collection = await created("stepped", [{ _id: 1, n: 0 }]);
    let tries = 0;
    await server.client.withSession((session) => session.withTransaction(async () => {
      await collection.updateOne({ _id: 1 }, { $inc: { n: 1 } }, { session });
      if (++tries === 1) await server.fault({ sandbox: "stepDown" });
      await collection.updateOne({ _id: 1 }, { $inc: { n: 1 } }, { session });
    }, MAJORITY));
    assert.ok(tries >= 2);
    assert.equal((await collection.findOne({ _id: 1 })).n, 2);
  });

  server.faultTest("ends the transactions of a session that ends", async () => {
    const collection = await created("ended", [{ _id: 1, n: 0 }]);
    const session = server.client.startSession();
    session.startTransaction();
    await collection.updateOne({ _id: 1 }, { $inc: { n: 1 } }, { session });
    await session.endSession();
    await eventually(async () => (await collection.updateOne({ _id: 1 }, { $inc: { n: 10 } })).modifiedCount === 1, "free document");
    assert.equal((await collection.findOne({ _id: 1 })).n, 10);
  });
});
