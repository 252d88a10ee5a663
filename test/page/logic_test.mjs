// The page's reasoning, without a browser: words, the cross-check, the ring, the filter, what each part proves.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { bundle } from "../../web/build.mjs";
import { modules } from "./modules.mjs";
import { event, pipeline } from "./samples.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

const [words, { CrossCheck, kGrace_ms }, { RecentIds }, { Ring }, { EventLog, kRowsMax, documentText }, { parseFilter, passes }, { FeedWindow }, reconnect, { summarize }, proof, { Store }] =
  await modules(["logic/words", "logic/cross_check", "logic/recent_ids", "logic/ring", "logic/event_log", "logic/filter", "logic/feed_window", "logic/reconnect", "logic/summary", "logic/proof", "state/store"]);

describe("words", () => {
  test("durations name the two units that matter", () => {
    const said = [[0, "0 s"], [59.9, "59 s"], [60, "1 m"], [61, "1 m 1 s"], [3600, "1 h"], [22_320, "6 h 12 m"], [86_400, "1 d"], [200_000, "2 d 7 h"], [-5, "0 s"]];
    for (const [seconds, text] of said) assert.equal(words.duration(seconds), text);
  });
  test("short ones have a fraction", () => {
    for (const [seconds, text] of [[0.0005, "0.5 ms"], [0.42, "420 ms"], [9.12, "9.1 s"], [0, "0 s"], [12.7, "12 s"]]) assert.equal(words.shortDuration(seconds), text);
  });
  test("a back-off counts down, with which try it is", () => {
    const waiting = pipeline("observe", { state: "waiting for the source", retry_in_s: 4.2, retry_attempt: 3 });
    assert.equal(words.stateWords(waiting, 0), "waiting for the source, next try in 5 s (3rd)");
    assert.equal(words.stateWords(waiting, 0.5), "waiting for the source, next try in 4 s (3rd)");
    assert.equal(words.stateWords(waiting, 9), "waiting for the source, trying now (3rd)");
    assert.equal(words.stateWords(pipeline("observe"), 5), "streaming");
  });
  test("ordinals know the teens", () => {
    assert.deepEqual([1, 2, 3, 4, 11, 12, 13, 21, 102, 112].map(words.ordinal), ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "112th"]);
  });
  test("the oplog's window is time until the position is lost", () => {
    assert.equal(words.windowWords(22_320), "6 h 12 m until this position is lost");
    assert.equal(words.windowWords(-3), "this position is lost");
    assert.equal(words.windowWords(null), null);
  });
  test("a count is exact, and short only where it has millions", () => {
    for (const [n, text] of [[0, "0"], [999_999, "999\u202f999"], [12_345_678, "12.3\u202fM"], [999_999_999, "1.00\u202fG"], [123_456_789_012, "123\u202fG"]]) assert.equal(words.shortCount(n), text);
    assert.deepEqual([1, 999, 1000, 123_456].map(words.badge), ["1", "999", "999+", "999+"]);
  });
  test("the strip says a verdict without the name that stands above it", () => {
    const said = { "feed observe behind by 1\u202f204": "behind by 1\u202f204", "feed behind by 7": "behind by 7", "feed agrees with the stats": "agrees with stats", "socket silent": "silent", "3 of 4 move": "3 of 4 move" };
    for (const [whole, short] of Object.entries(said)) assert.equal(proof.stripWords(whole), short);
  });
  test("a histogram's quantile is its bucket's bound", () => {
    assert.deepEqual(words.quantileAtMost([1, 2], [98, 1, 1], 0.99), { bound_s: 2, above: false });
    assert.deepEqual(words.quantileAtMost([1, 2], [0, 0, 5], 0.5), { bound_s: 2, above: true });
    assert.equal(words.quantileAtMost([1, 2], [0, 0, 0], 0.5), null);
  });
});

describe("the cross-check", () => {
  const look = (total, at, more = {}) => ({ configured: true, at_ms: 2000, error: "", total, cluster_time: at, ...more });
  const begun = () => {
    const check = new CrossCheck();
    check.start(1000);
    check.onStats(look(500, [10, 0]), 0);
    return check;
  };

  test("agrees when every stored event came", () => {
    const check = begun();
    assert.deepEqual(check.verdict, { kind: "counting" });
    for (let i = 1; i <= 3; i++) check.onEvent("insert", [11, i], 10);
    check.onStats(look(503, [11, 3]), 20);
    assert.deepEqual(check.verdict, { kind: "agrees" });
    assert.deepEqual(check.figures, { stored: 3, received: 3, missed: 0 });
    assert.equal(check.agreedAt_ms, 20);
  });
  test("gives the feed a second, then says by how many it is behind", () => {
    const check = begun();
    check.onEvent("insert", [11, 1], 10);
    check.onStats(look(505, [11, 9]), 1000);
    assert.deepEqual(check.verdict, { kind: "counting" });
    check.tick(1000 + kGrace_ms - 1);
    assert.deepEqual(check.verdict, { kind: "counting" });
    check.tick(1000 + kGrace_ms);
    assert.deepEqual(check.verdict, { kind: "behind", by: 4 });
  });
  test("agrees again as soon as what was missing came, counted down on the way", () => {
    const check = begun();
    check.onStats(look(502, [11, 9]), 0);
    check.tick(kGrace_ms);
    check.onEvent("insert", [11, 1], 2000);
    assert.deepEqual(check.verdict, { kind: "behind", by: 1 });
    check.onEvent("insert", [11, 2], 2001);
    assert.deepEqual(check.verdict, { kind: "agrees" });
    assert.deepEqual(check.history, [2, 0]);
  });
  test("events that came in time are in time, whichever came first", () => {
    const check = begun();
    check.onStats(look(501, [11, 5]), 0);
    check.onEvent("insert", [11, 5], 300);
    assert.deepEqual(check.verdict, { kind: "agrees" });
    assert.equal(check.deadline_ms, null);
  });
  test("events after the look don't count for it", () => {
    const check = begun();
    check.onEvent("insert", [12, 1], 0);
    check.onStats(look(501, [11, 5]), 0);
    check.tick(kGrace_ms);
    assert.deepEqual(check.verdict, { kind: "behind", by: 1 });
    check.onStats(look(502, [12, 1]), 5000);
    check.tick(5000 + kGrace_ms);
    assert.deepEqual(check.verdict, { kind: "behind", by: 1 });
  });
  test("events of before the baseline, updates and deletes don't count", () => {
    const check = begun();
    check.onEvent("insert", [10, 0], 0);
    check.onEvent("insert", [9, 9], 0);
    check.onEvent("update", [11, 1], 0);
    check.onStats(look(501, [11, 5]), 0);
    check.tick(kGrace_ms);
    assert.deepEqual(check.verdict, { kind: "behind", by: 1 });
  });
  test("announced gaps are missed, not behind", () => {
    const check = begun();
    check.onGap(40, 0);
    check.onStats(look(540, [11, 5]), 0);
    assert.deepEqual(check.verdict, { kind: "agrees" });
    assert.equal(check.figures.missed, 40);
  });
  test("a look that came during the grace is judged after it", () => {
    const check = begun();
    check.onStats(look(501, [11, 5]), 0);
    check.onStats(look(504, [12, 5]), 400);
    assert.equal(check.deadline_ms, kGrace_ms);
    check.tick(kGrace_ms);
    assert.deepEqual(check.verdict, { kind: "behind", by: 1 });
    check.tick(2 * kGrace_ms);
    assert.deepEqual(check.verdict, { kind: "behind", by: 4 });
  });
  test("more events than documents means another baseline", () => {
    const check = begun();
    check.onEvent("insert", [11, 1], 0);
    check.onEvent("insert", [11, 2], 0);
    check.onStats(look(501, [11, 5]), 0);
    assert.deepEqual(check.verdict, { kind: "agrees" });
    check.onStats(look(502, [12, 5]), 0);
    check.tick(kGrace_ms);
    assert.deepEqual(check.verdict, { kind: "behind", by: 1 });
  });
  test("a look of before the connection is no baseline, unless the feed covers it", () => {
    const check = new CrossCheck();
    check.start(5000);
    check.onStats(look(100, [10, 0]), 0);
    assert.deepEqual(check.verdict, { kind: "waiting" });
    check.onEvent("insert", [9, 0], 0);
    check.onStats(look(100, [10, 0]), 0);
    assert.deepEqual(check.verdict, { kind: "counting" });
  });
  test("looks that failed, or know no cluster time, are no looks", () => {
    const check = begun();
    check.onStats(look(900, [0, 0]), 0);
    check.onStats(look(900, [20, 0], { error: "no primary" }), 0);
    check.onStats(look(null, [20, 0]), 0);
    check.tick(kGrace_ms);
    assert.deepEqual(check.verdict, { kind: "counting" });
  });
  test("where nothing happens every new look agrees, and one that is told again is none", () => {
    const check = begun();
    check.onStats(look(500, [10, 0]), 50);
    assert.deepEqual([check.verdict, check.agreedAt_ms], [{ kind: "counting" }, null]);
    check.onStats(look(500, [10, 0], { at_ms: 7000 }), 60);
    assert.deepEqual([check.verdict, check.agreedAt_ms], [{ kind: "agrees" }, 60]);
    check.onStats(look(500, [10, 0], { at_ms: 12_000 }), 70);
    assert.equal(check.agreedAt_ms, 70);
  });
  test("without stats there is nothing to compare", () => {
    const check = new CrossCheck();
    check.start(0);
    check.onStats(look(1, [1, 1], { configured: false }), 0);
    assert.deepEqual(check.verdict, { kind: "off" });
  });
  test("every order of events and looks ends in the truth", () => {
    // A small fuzz: some events come late, some never; the verdict after the grace is what was never delivered.
    let seed = 7;
    const random = (n) => { seed = (seed * 1103515245 + 12345) & 0x7fffffff; return seed % n; };
    for (let round = 0; round < 200; round++) {
      const check = begun();
      let stored = 500;
      let now = 0;
      const late = [];
      for (let i = 1; i <= 60; i++) {
        now += 400;
        stored += 1;
        if (random(3) > 0) check.onEvent("insert", [11, i], now);
        else late.push([11, i]);
        if (late.length > 0 && random(4) === 0) check.onEvent("insert", late.shift(), now);
        if (random(3) === 0) check.onStats(look(stored, [11, i]), now);
        check.tick(now);
      }
      check.onStats(look(stored, [11, 61]), now);
      for (let i = 0; i < 3; i++) check.tick(now += kGrace_ms);
      assert.deepEqual(check.verdict, late.length > 0 ? { kind: "behind", by: late.length } : { kind: "agrees" });
    }
  });
});

describe("what is kept", () => {
  test("ids are remembered for their capacity, and bounded", () => {
    const ids = new RecentIds(100);
    assert.equal(ids.add("a"), true);
    assert.equal(ids.add("a"), false);
    for (let i = 0; i < 99; i++) ids.add(`x${i}`);
    assert.equal(ids.add("a"), false);
    for (let i = 0; i < 1000; i++) ids.add(`y${i}`);
    assert.ok(ids.size <= 200);
    assert.equal(ids.add("a"), true);
  });
  test("the ring keeps the newest, under their running numbers", () => {
    const ring = new Ring(3);
    for (let i = 0; i < 5; i++) ring.push(i * 10);
    assert.deepEqual(ring.toArray(), [20, 30, 40]);
    assert.deepEqual([ring.first, ring.end, ring.at(1), ring.at(2), ring.at(4), ring.at(5)], [2, 5, undefined, 20, 40, undefined]);
  });
  test("a replay shows nothing twice, in any feed's own count", () => {
    const log = new EventLog();
    const item = { seq: 1, ...event({ id: "one" }) };
    assert.equal(log.add("observe", item), true);
    assert.equal(log.add("observe", { ...item, seq: 9 }), false);
    assert.equal(log.add("other", item), true);
    assert.deepEqual([log.shown, log.replayed, log.rows.length], [2, 1, 2]);
  });
});

describe("the filter", () => {
  const row = (values) => ({ kind: "event", number: 0, feed: "observe", item: { ...event(values) }, summary: summarize(event(values)) });
  test("takes all words anywhere in the document, and any of the severities", () => {
    const one = row({ id: "q1", title: "Fiji region", severity: "strong" });
    assert.ok(passes(one, parseFilter("", [])));
    assert.ok(passes(one, parseFilter("FIJI  earthquake", [])));
    assert.ok(!passes(one, parseFilter("fiji alaska", [])));
    assert.ok(passes(one, parseFilter("", ["major", "strong"])));
    assert.ok(!passes(one, parseFilter("fiji", ["minor"])));
  });
  test("never hides a gap", () => {
    assert.ok(passes({ kind: "gap", number: 0, feed: "observe", missed: 3 }, parseFilter("nothing has this", ["major"])));
  });
  test("follows the ring, newest first, also past its end", () => {
    const log = new EventLog();
    const view = new FeedWindow(log.rows);
    view.setFilter(parseFilter("", ["major"]));
    for (let i = 0; i < kRowsMax + 700; i++) {
      log.add("observe", { seq: i, ...event({ id: `e${i}`, severity: i % 2 ? "major" : "minor" }) });
      if (i % 97 === 0) view.update();
    }
    view.update();
    assert.equal(view.length, kRowsMax / 2);
    assert.ok(view.at(0).item.id.endsWith(`e${kRowsMax + 699}`));
    assert.ok(view.at(view.length - 1).number >= log.rows.first);
    assert.equal(view.at(view.length), undefined);
  });
  test("a pause holds the rows and counts what would be new", () => {
    const log = new EventLog();
    const view = new FeedWindow(log.rows);
    const add = (severity) => log.add("observe", { seq: 1, ...event({ severity }) });
    add("minor");
    add("major");
    view.pause();
    add("major");
    add("minor");
    view.update();
    assert.deepEqual([view.length, view.waiting], [2, 2]);
    view.setFilter(parseFilter("", ["major"]));
    assert.deepEqual([view.length, view.waiting], [1, 1]);
    view.resume();
    assert.deepEqual([view.length, view.waiting, view.paused], [2, 0, false]);
  });
});

describe("an event in one line", () => {
  test("shows what the document calls itself, whatever it is", () => {
    const quake = summarize(event({ title: "Fiji region", severity: "major", mag: 7.123456 }));
    assert.deepEqual([quake.severity, quake.category, quake.title, quake.fields[0]], ["major", "earthquake", "Fiji region", ["mag", "≈ 7.123"]]);
    const plain = summarize({ op: "insert", ns: "shop.orders", doc: { _id: 1, status: "paid", total: 12, at: { $date: "2026-01-01" }, lines: [1] } });
    assert.deepEqual([plain.title, plain.fields], ["shop.orders", [["status", "paid"], ["total", "12"], ["at", "2026-01-01"]]]);
    const usgs = summarize(event({ title: "M 4.9 - 6km SSW of Tecoluca" }));
    assert.ok(!usgs.fields.some(([, value]) => usgs.title.includes(value)), "a field repeats the title");
    const noisy = summarize({ op: "insert", ns: "a.b", doc: { url: "https://x.example", at: 1517619752600, n: 5 } });
    assert.deepEqual(noisy.fields, [["n", "5"]]);
    assert.equal(summarize({ op: "insert", ns: "a.b", doc: null, truncated: true }).title, "too large to send; look it up by its key");
    assert.equal(summarize({ op: "delete", ns: "a.b", doc: null }).title, "delete");
  });
});

describe("reconnecting", () => {
  test("waits 1 s, doubling to 10 s", () => {
    assert.deepEqual([1, 2, 3, 4, 5, 6, 100].map(reconnect.reconnectDelay_ms), [1000, 2000, 4000, 8000, 10_000, 10_000, 10_000]);
  });
  test("carries the token as base64url of its UTF-8", () => {
    assert.equal(reconnect.tokenProtocol("sëcret?>"), `bearer.${Buffer.from("sëcret?>").toString("base64url")}`);
  });
});

describe("proofs of life", () => {
  const open = { phase: "open", attempt: 0, retryIn_s: null, frameAge_s: 0.2, silent: false, why: "" };
  test("an open socket that says nothing is called silent", () => {
    assert.deepEqual([proof.socketProof(open).mood, proof.socketProof(open).words], ["good", "open"]);
    const silent = proof.socketProof({ ...open, silent: true, frameAge_s: 3.4 });
    assert.deepEqual([silent.mood, silent.words], ["bad", "socket silent"]);
    assert.equal(proof.socketProof({ ...open, phase: "waiting", retryIn_s: 3.2 }).words, "closed, next try in 4 s");
  });
  test("behind a silent socket nothing is known, whatever it was", () => {
    const stats = { configured: true, at_ms: 5, error: "", age_s: 0, interval_s: 5, total: 3 };
    for (const one of [proof.feedProof("observe", true, { kind: "agrees" }, 1, 1, 5, false), proof.statsProof(stats, 4, false), proof.pipelineProof(pipeline("ingest"), 4, false)]) {
      assert.equal(one.mood, "unknown", one.name);
    }
  });
  test("what is known to be missing stays known", () => {
    assert.equal(proof.feedProof("observe", true, { kind: "behind", by: 3 }, 1, 1, 5, false).words, "feed behind by 3");
  });
  test("an agreement holds only as long as the comparisons go on", () => {
    assert.equal(proof.feedProof("observe", true, { kind: "agrees" }, 0, 10, 5, true).mood, "good");
    const old = proof.feedProof("observe", true, { kind: "agrees" }, 0, 12, 5, true);
    assert.deepEqual([old.mood, old.words], ["unknown", "agreed 12 s ago, not compared since"]);
  });
  test("a feed that isn't compared is never called good", () => {
    assert.equal(proof.feedProof("second", false, { kind: "agrees" }, 0, 0, 5, true).mood, "unknown");
  });
  test("stats that stop coming are late, and stats that fail say why", () => {
    const stats = { configured: true, at_ms: 5, error: "", age_s: 1, interval_s: 5, total: 3 };
    assert.equal(proof.statsProof(stats, 2, true).mood, "good");
    assert.deepEqual([proof.statsProof(stats, 11, true).mood, proof.statsProof(stats, 11, true).words], ["bad", "late"]);
    assert.equal(proof.statsProof({ ...stats, error: "no primary" }, 0, true).detail, "no primary");
  });
  test("the oplog's window worries by what is left of it, not by how young the oplog is", () => {
    assert.deepEqual([[60, 0], [60, null], [50, 60], [10, 60], [-1, 0]].map(([left, lag]) => proof.windowMood(left, lag)), ["good", "good", "waiting", "bad", "bad"]);
  });
  test("pipelines stand in the order that the events go", () => {
    assert.deepEqual(proof.inOrder(["relay", "observe", "ingest", "process"].map((kind) => pipeline(kind))).map(({ name }) => name), ["ingest", "process", "observe", "relay"]);
  });
  test("pipelines are counted, not summed into one light", () => {
    const dead = pipeline("observe", { ready: false, state: "waiting for the source", retry_in_s: 1 });
    assert.equal(proof.pipelinesWords([pipeline("ingest"), dead]), "1 of 2 moves");
    assert.equal(proof.pipelinesWords([pipeline("ingest"), pipeline("process")]), "all 2 move");
    assert.equal(proof.pipelineMood(pipeline("process", { state: "unreachable", ready: false })), "unknown");
    assert.equal(proof.pipelineMood(pipeline("process", { ended: true, error: "invalid resume token", state: "finished" })), "bad");
  });
});

describe("the bundle", () => {
  test("is the same bytes each time, names no folder, and holds no inline script or style", async () => {
    const [one, two] = await Promise.all([bundle(), bundle()]);
    assert.deepEqual(one.map(({ etag }) => etag), two.map(({ etag }) => etag));
    for (const { path: name, bytes } of one) assert.ok(!bytes.includes(ROOT), name);
    const html = String(one[0].bytes);
    assert.doesNotMatch(html, /<style|style=|<script(?![^>]* src=)|\son\w+=|https?:/);
    assert.ok(one.reduce((sum, { bytes }) => sum + bytes.length, 0) < 200_000, "the page has grown out of proportion");
  });
});

describe("the store", () => {
  const hello = (instance) => ({ type: "hello", protocol: 1, version: "0", instance, now_ms: 1000, demo: false, stats_interval_s: 5, feeds: [{ name: "observe", oldest: 0, newest: 0 }] });
  const make = () => new Store({ now_ms: () => 0, schedule: () => {}, after: () => {} });
  test("resumes behind the last event of the same server, and starts anew with another one", () => {
    const store = make();
    assert.deepEqual(store.takeHello(hello("a")), []);
    store.apply({ type: "events", feed: "observe", items: [{ seq: 7, ...event() }] });
    assert.deepEqual(store.takeHello(hello("a")), [{ feed: "observe", after: 7 }]);
    store.apply({ type: "gap", feed: "observe", after: 7, missed: 5 });
    assert.deepEqual(store.takeHello(hello("a")), [{ feed: "observe", after: 12 }]);
    assert.deepEqual(store.takeHello(hello("b")), []);
    const last = store.log.rows.at(store.log.rows.end - 1);
    assert.deepEqual([last.kind, last.missed], ["gap", null]);
  });
  test("takes each entry of the timeline once", () => {
    const store = make();
    store.takeHello(hello("a"));
    const entry = (seq) => ({ seq, at_ms: 0, pipeline: "", kind: "started", text: "", replayed: 0 });
    store.apply({ type: "timeline", entries: [entry(1), entry(2)] });
    store.apply({ type: "timeline", entries: [entry(1), entry(2), entry(3)] });
    assert.deepEqual(store.timeline.map(({ seq }) => seq), [1, 2, 3]);
  });
  test("a frame of a kind it doesn't know is counted, not a fault", () => {
    const store = make();
    store.apply({ type: "weather" });
    assert.equal(store.unknownFrames, 1);
  });
});

describe("what is there is shown", () => {
  const came = (items) => `{"type":"events","feed":"observe","items":[${items.join(",")}]}`;
  const rowsOf = (frame) => {
    const store = new Store({ now_ms: () => 0, schedule: () => {}, after: () => {} });
    store.takeHello({ type: "hello", protocol: 1, version: "1", instance: "a", now_ms: 0, demo: false, stats_interval_s: 5, feeds: [{ name: "observe", oldest: 0, newest: 0 }] });
    store.apply(JSON.parse(frame), frame);
    return Array.from({ length: store.log.rows.end - store.log.rows.first }, (_, i) => store.log.rows.at(store.log.rows.first + i));
  };
  const item = (seq, doc) => `{"seq":${seq},"id":"82${seq}","op":"insert","ns":"a.b","time_ms":1,"cluster_time":[1,${seq}],"sent_ms":2,"key":{"_id":${seq}},"doc":${doc},"truncated":false}`;

  test("in full, to the last digit, in its order, doubled names included", () => {
    const rows = rowsOf(came([item(1, '{"_id":1,"v":9007199254740993,"z":-0.0,"e":5e-324}'), item(2, '{"b":{"$minKey":1},"10":1.0,"2":[ ],"b":"a\\"}"}')]));
    assert.equal(documentText(rows[0]), '{\n  "_id": 1,\n  "v": 9007199254740993,\n  "z": -0.0,\n  "e": 5e-324\n}');
    assert.equal(documentText(rows[1]), '{\n  "b": {\n    "$minKey": 1\n  },\n  "10": 1.0,\n  "2": [],\n  "b": "a\\"}"\n}');
  });
  test("an event without its document shows its key", () => {
    const rows = rowsOf(came([item(3, "null")]));
    assert.deepEqual(JSON.parse(documentText(rows[0])), { key: { _id: 3 }, truncated: false });
  });
  test("the filter finds the digits that a number would have lost", () => {
    const [row] = rowsOf(came([item(4, '{"_id":4,"v":9007199254740993}')]));
    assert.ok(passes(row, parseFilter("9007199254740993", [])));
    assert.ok(!passes(row, parseFilter("9007199254740992", [])));
  });
  test("in a row, to the last digit", () => {
    const [plain, wrapped] = rowsOf(came([item(5, '{"_id":5,"v":9007199254740993}'), item(6, '{"raw":{"data":{"place":"Fiji","n":-9223372036854775808}}}')]));
    assert.deepEqual(plain.summary.fields, [["v", "9007199254740993"]]);
    assert.deepEqual(wrapped.summary.fields, [["n", "-9223372036854775808"]]);
  });
  test("in a row, cut with a mark or not at all", () => {
    const shown = (doc) => Object.fromEntries(summarize({ ...event(), doc }).fields);
    assert.deepEqual(shown({ a: { $numberLong: "9007199254740993" }, b: { $numberDouble: "-0.0" }, c: 5e-324, d: { $minKey: 1 } }), { a: "9007199254740993", b: "-0.0", c: "≈ 4.941e-324", d: "MinKey" });
    assert.deepEqual(shown({ a: 0.1234567, b: 0.125, c: 12, d: { $numberDecimal: "1.10" } }), { a: "≈ 0.123", b: "0.125", c: "12", d: "1.10" });
    assert.deepEqual(shown({ a: { $binary: { base64: "", subType: "00" } }, b: { price: 5 }, c: -0 }), { c: "-0" });
  });
});
