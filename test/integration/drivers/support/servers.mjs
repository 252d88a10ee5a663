// A replica set for a test script: the sandbox as 7.0 and as 4.2, and the deployment of TIDEMARK_TEST_MONGODB_URI where it
// is set. onEveryServer() defines the same tests for each; a server lives as long as its suite, its database too.
import { spawn } from "node:child_process";
import path from "node:path";
import readline from "node:readline";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { MongoClient } from "mongodb";

export const SOURCE_DIR = process.env.TIDEMARK_SOURCE_DIR ?? fileURLToPath(new URL("../../../../", import.meta.url));
const BIN_DIR = process.env.TIDEMARK_BIN_DIR ?? path.join(SOURCE_DIR, "build/release/bin");
const TEST_MS_MAX = 60_000;
const STEP_MS_MAX = 30_000;
// Short, because the driver forgets the timer of a selection for a retry, and the process ends only after it.
const SELECTION_MS_MAX = 8_000;

// The promise, or an error that says what never came.
export async function within(promise, what, ms = STEP_MS_MAX) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

// Asks again until the answer is truthy; the answer.
export async function eventually(ask, what, ms = STEP_MS_MAX) {
  const end = performance.now() + ms;
  while (performance.now() < end) {
    const answer = await ask();
    if (answer) return answer;
  }
  throw new Error(`not within ${ms} ms: ${what}`);
}

async function startSandbox(args) {
  const child = spawn(path.join(BIN_DIR, "tidemark-sandbox"), args, { stdio: ["ignore", "pipe", "inherit"] });
  process.on("exit", () => child.kill("SIGKILL"));
  const first = new Promise((resolve, reject) => {
    readline.createInterface({ input: child.stdout }).once("line", resolve);
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`tidemark-sandbox ended with ${code} before it was ready`)));
  });
  return { child, uri: await within(first, "URI from tidemark-sandbox") };
}

class Server {
  #clients = [];
  #members = new Map();
  #child;

  constructor({ name, compat, uri }) {
    this.name = name;
    this.isSandbox = uri === undefined;
    this.compat = compat;
    this.uri = uri;
    this.database = `tidemark_drivers_${process.pid}_${name.replace(/\W+/g, "")}`;
  }

  async start() {
    if (this.isSandbox) {
      const { child, uri } = await startSandbox(["--compat", this.compat]);
      this.#child = child;
      this.uri = uri;
      this.addresses = uri.match(/\/\/([^/]+)/)[1].split(",");
    }
    this.client = await this.connect();
    const { versionArray } = await this.client.db("admin").command({ buildInfo: 1 });
    this.version = versionArray;
  }

  async stop() {
    if (!this.isSandbox && this.client) await this.client.db(this.database).dropDatabase();
    for (const client of [...this.#clients, ...this.#members.values()]) await client.close(true);
    if (!this.#child || this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGTERM");
    await within(ended, "end of tidemark-sandbox");
  }

  // A client of the suite's; it is closed with the server.
  async connect(options = {}) {
    const client = new MongoClient(this.uri, { serverSelectionTimeoutMS: SELECTION_MS_MAX, ...options });
    this.#clients.push(client);
    return client.connect();
  }

  atLeast(major, minor = 0) {
    return this.version[0] > major || (this.version[0] === major && this.version[1] >= minor);
  }

  collection(name, client = this.client) {
    return client.db(this.database).collection(name);
  }

  // A client of this member alone.
  #member(address) {
    if (!this.#members.has(address)) {
      const options = { directConnection: true, serverSelectionTimeoutMS: 1000, connectTimeoutMS: 1000 };
      this.#members.set(address, new MongoClient(`mongodb://${address}`, options));
    }
    return this.#members.get(address).db("admin");
  }

  // The sandbox's view of its members, from the first that answers.
  async members() {
    const ask = async (address) => (await this.#member(address).command({ sandbox: "status" })).members;
    return within(Promise.any(this.addresses.map(ask)), "status of the sandbox");
  }

  // Inflicted through a member that isn't the victim. `member: "primary"` is the primary of this moment.
  async fault(command) {
    const members = await this.members();
    const primary = members.find((member) => member.primary);
    const member = command.member === "primary" ? { member: primary.member } : {};
    const victim = member.member ?? command.member;
    const { address } = members.find((one) => one.alive && !one.paused && !one.partitioned && !one.primary && one.member !== victim);
    return this.#member(address).command({ ...command, ...member });
  }

  // A command to the primary of this moment, whatever the driver knows.
  async onPrimary(command) {
    const { address } = (await this.members()).find((member) => member.primary);
    return this.#member(address).command(command);
  }

  // The next commands of these names fail on the primary.
  async failCommands(failCommands, data, times = 1) {
    const command = { configureFailPoint: "failCommand", mode: { times }, data: { failCommands, ...data } };
    return this.onPrimary(command);
  }

  test(name, body) {
    test(name, { timeout: TEST_MS_MAX }, (t) => body(t));
  }

  // A test that harms the deployment or asks for what only the sandbox can do.
  faultTest(name, body) {
    this.test(name, (t) =>
      this.isSandbox ? body(t) : t.skip("inflicts faults, which a deployment given by URI is spared"));
  }

  // A test of what servers have from a version on.
  testSince(major, minor, name, body) {
    this.test(name, (t) =>
      this.atLeast(major, minor) ? body(t) : t.skip(`${this.version.slice(0, 2).join(".")} lacks it: ${major}.${minor} has it`));
  }
}

function servers() {
  const uri = process.env.TIDEMARK_TEST_MONGODB_URI;
  return [
    new Server({ name: "sandbox as 7.0", compat: "7.0" }),
    new Server({ name: "sandbox as 4.2", compat: "4.2" }),
    ...(uri ? [new Server({ name: "real server", uri })] : []),
  ];
}

// define(server) calls server.test() and its kin; they run once started.
export function onEveryServer(define) {
  for (const server of servers()) {
    describe(server.name, () => {
      before(() => server.start());
      after(() => server.stop());
      define(server);
    });
  }
}

// What the error says and its code, or a failure where nothing was thrown.
export async function errorOf(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("it succeeded, an error was expected");
}
