// From the insert to the browser: writes documents at a rate and has headless Chromium, with the live feed of the real
// page open, say when each had arrived and when the frame after it was painted; and how long the page's frames took.
//   --mongo URI --database D --collection C --url URL --rate R --count N
import { MongoClient } from "mongodb";
import { measureFrames } from "../../test/page/frames.mjs";
import { launch, openPage } from "../../test/page/support.mjs";
import { readArguments } from "./peer.mjs";

const BATCH = 10; // documents of an insert
const PATIENCE_MS = 30_000;
const options = readArguments();
const rate = Number(options.rate);

// Runs before any script of the page. Both ends read the clock of the same machine.
function noteArrivals() {
  const seen = [];
  globalThis.bench = { seen, connected: false };
  globalThis.WebSocket = class extends WebSocket {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", ({ data }) => {
        if (data.includes('"type":"hello"')) globalThis.bench.connected = true;
        if (!data.includes('"type":"events"')) return;
        const arrived = Date.now();
        const written = [...data.matchAll(/"bench_at_ms" ?: ?([0-9.]+)/g)].map(([, at]) => Number(at));
        // After the page's own work for the next frame, and that frame.
        requestAnimationFrame(() => setTimeout(() => {
          const painted = Date.now();
          for (const at of written) seen.push([arrived - at, painted - at]);
        }));
      });
    }
  };
}

let number = 0;
function documents(count) {
  return Array.from({ length: count }, () => ({
    raw: {
      specversion: "1.0", id: `bench-${number++}`, source: "/bench/feed", type: "bench.event",
      data: { mag: 4.5, place: "12 km SSW of nowhere", bench_at_ms: Date.now() },
    },
    severity: ["minor", "light", "moderate", "strong", "major"][number % 5],
    category: "quake",
    tags: number % 3 === 0 ? ["felt"] : [],
    receivedAt: new Date(),
    processedAt: new Date(),
  }));
}

// On a schedule that a late answer doesn't shift. Returns the seconds it took.
async function write(events, count) {
  const started = performance.now();
  const running = new Set();
  for (let sent = 0; sent < count; sent += BATCH) {
    const wait = started + (1000 * sent) / rate - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const insert = events.insertMany(documents(BATCH)).finally(() => running.delete(insert));
    running.add(insert);
  }
  await Promise.all(running);
  return (performance.now() - started) / 1000;
}

function allSeen(page, count) {
  return page.waitForFunction((wanted) => globalThis.bench.seen.length >= wanted, count, { timeout: PATIENCE_MS, polling: 100 });
}

function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

const client = await new MongoClient(options.mongo).connect();
const events = client.db(options.database).collection(options.collection, { writeConcern: { w: "majority" } });
const browser = await launch();
const { page, problems } = await openPage(browser, options.url, { route: "feed", init: noteArrivals });
await page.waitForFunction(() => globalThis.bench.connected, undefined, { timeout: PATIENCE_MS });

// A page that has just connected is shown the newest events alone, so that the first few only open the way. Those after
// them warm both ends up, the page's list among them.
await write(events, BATCH);
await allSeen(page, BATCH);
await write(events, 2 * rate);
await allSeen(page, 2 * rate + BATCH);
await page.evaluate(() => {
  globalThis.bench.seen.length = 0;
});
let seconds = 0;
const frames = await measureFrames(page, async () => {
  seconds = await write(events, options.count);
  await allSeen(page, options.count);
});
const seen = await page.evaluate(() => globalThis.bench.seen);
const painted = seen.map(([, ms]) => ms);
console.log(JSON.stringify({
  writes: options.count,
  writes_per_second: options.count / seconds,
  arrived_p99_ms: quantile(seen.map(([ms]) => ms), 0.99),
  p50_ms: quantile(painted, 0.5),
  p99_ms: quantile(painted, 0.99),
  max_ms: quantile(painted, 1),
  frames: frames.frames,
  frame_p99_ms: frames.p99_ms,
  frame_max_ms: frames.max_ms,
  long_tasks: frames.longtasks.length,
  problems,
}));
await browser.close();
await client.close();
