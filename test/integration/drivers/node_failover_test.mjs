// The official Node driver while primaries come and go: writes are acknowledged once, streams lose nothing.
import assert from "node:assert/strict";
import { eventually, onEveryServer } from "./support/servers.mjs";
import { openStream, take } from "./support/streams.mjs";

const WRITES = 120;

onEveryServer((server) => {
  // A client that finds out soon when a member doesn't answer.
  const impatient = () => server.connect({ connectTimeoutMS: 1000, heartbeatFrequencyMS: 500 });

  // Every member is there again and as far as the primary.
  const healed = () => eventually(async () => {
    const all = await server.members();
    const newest = all.find((member) => member.primary)?.newest;
    return newest && all.every((member) => member.alive && !member.paused && member.newest.equals(newest));
  }, "every member has caught up");

  const settled = async (promise) => (await Promise.allSettled([promise]))[0];

  // Writes while `faults` happen at these counts; each acknowledged write was done once, and the stream has each once.
  // With `wait` the write follows the fault, else they race.
  async function writeThrough(name, faults, { wait = false } = {}) {
    const collection = server.collection(name, await impatient());
    // On a client of its own: of two commands whose connections die together, the driver retries the first alone.
    const stream = await openStream(server.collection(name, await impatient()));
    const inflicted = [];
    const write = async () => {
      for (let i = 0; i < WRITES; i++) {
        if (faults[i]) inflicted.push(settled(faults[i]()));
        if (wait) await inflicted.at(-1);
        await collection.insertOne({ _id: i }, { writeConcern: { w: "majority" } });
      }
    };
    const [events] = await Promise.all([take(stream, WRITES), write()]);
    for (const { reason } of await Promise.all(inflicted)) assert.ifError(reason);
    await stream.close();
    const all = Array.from({ length: WRITES }, (_, i) => i);
    assert.deepEqual(events.map((event) => event.documentKey._id), all);
    assert.deepEqual((await collection.find().sort({ _id: 1 }).toArray()).map((document) => document._id), all);
  }

  server.faultTest("goes through step-downs", async () => {
    const before = (await server.members()).find((member) => member.primary).term;
    const stepDown = () => server.fault({ sandbox: "stepDown" });
    await writeThrough("step_downs", { 20: stepDown, 80: stepDown });
    assert.ok((await server.members()).find((member) => member.primary).term > before);
  });

  server.faultTest("goes through the replSetStepDown of a client", async () => {
    await healed();
    await writeThrough("own_step_down", {
      40: () => server.onPrimary({ replSetStepDown: 5, secondaryCatchUpPeriodSecs: 4 }),
    });
  });

  server.faultTest("goes through the death of the primary and its return", async () => {
    await healed();
    let victim;
    await writeThrough("deaths", {
      20: async () => { victim = (await server.fault({ sandbox: "kill", member: "primary" })).member; },
      80: () => server.fault({ sandbox: "restart", member: victim }),
    });
    await healed();
  });

  server.faultTest("goes through a partition that leaves a majority", async () => {
    await healed();
    const old = (await server.members()).find((member) => member.primary).member;
    await writeThrough("partitions", {
      20: () => server.fault({ sandbox: "partition", member: old, clients: true }),
      90: () => server.fault({ sandbox: "heal" }),
    }, { wait: true });
    await healed();
    assert.notEqual((await server.members()).find((member) => member.primary).member, old);
  });

  server.faultTest("increments once per call, whoever is primary", async () => {
    const collection = server.collection("counter");
    await collection.insertOne({ _id: 0, n: 0 }, { writeConcern: { w: "majority" } });
    const worker = async () => {
      const own = server.collection("counter", await impatient());
      for (let i = 0; i < 40; i++)
        await own.updateOne({ _id: 0 }, { $inc: { n: 1 } }, { writeConcern: { w: "majority" } });
    };
    const workers = Promise.all([worker(), worker(), worker()]);
    await eventually(async () => ((await collection.findOne({ _id: 0 }))?.n ?? 0) > 20, "the workers work");
    const { member } = await server.fault({ sandbox: "kill", member: "primary" });
    await workers;
    await server.fault({ sandbox: "restart", member });
    await healed();
    assert.equal((await collection.findOne({ _id: 0 })).n, 120);
  });

  server.faultTest("reads from a secondary while there is no primary", async () => {
    await healed();
    const collection = server.collection("readable");
    await collection.insertOne({ _id: 1 }, { writeConcern: { w: 3 } });
    const { member } = await server.fault({ sandbox: "kill", member: "primary" });
    assert.deepEqual(await collection.findOne({}, { readPreference: "secondaryPreferred" }), { _id: 1 });
    await server.fault({ sandbox: "restart", member });
  });
});
