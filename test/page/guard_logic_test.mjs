// The guard's words and moods, without a browser.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { modules } from "./modules.mjs";
import { alert, audit, guard } from "./samples.mjs";

const [judgement] = await modules(["logic/guard"]);

describe("the guard", () => {
  test("a figure is shown in its unit, beside its limit", () => {
    const said = [[75, "seconds", "1 m 15 s"], [-4, "seconds", "− 4 s"], [0.5, "ratio", "50 %"], [1, "documents", "1 document"], [1204, "letters", "1\u202f204 letters"], [1, "times", "1 time"], [null, "seconds", "unknown"], [3, "", "3"]];
    for (const [value, unit, text] of said) assert.equal(judgement.figureWords(value, unit), text);
  });
  test("its words are made sentences, and what is code in them is told", () => {
    assert.equal(judgement.sentence("the sink is slow"), "The sink is slow.");
    assert.equal(judgement.sentence("Is it?"), "Is it?");
    assert.equal(judgement.sentence(""), "");
    assert.deepEqual(judgement.codeParts("raise `lanes`"), ["raise ", "lanes", ""]);
  });
  test("an alert's age is by the server's clock, and ends with it", () => {
    assert.equal(judgement.alertSpan(alert({ fired_at_ms: 1000 }), 62_000), "1 m 1 s");
    assert.equal(judgement.alertSpan(alert({ fired_at_ms: 5000 }), 1000), "0 s");
    assert.equal(judgement.alertSpan(alert({ fired_at_ms: 1000, firing: false, resolved_at_ms: 6000 }), 99_000), "5 s");
  });
  test("alerts are counted, the critical ones by name", () => {
    const [warning, critical] = [alert(), alert({ severity: "critical" })];
    assert.equal(judgement.alertsWords([warning]), "1 alert");
    assert.equal(judgement.alertsWords([warning, critical]), "2 alerts, 1 critical");
    assert.equal(judgement.alertsWords([critical, critical]), "2 critical alerts");
    assert.deepEqual([[warning], [warning, critical], [critical]].map(judgement.alertsInShort), ["1 alert", "1 critical of 2", "1 critical"]);
  });
  test("one that fires is what the guard says, heard or not; without one it must have looked lately", () => {
    const of = (values, elapsed = 0, heard = true) => judgement.guardProof(values === null ? null : guard(values), elapsed, heard);
    assert.equal(of(null).words, "not configured");
    assert.equal(of({ configured: false }).mood, "unknown");
    assert.deepEqual([of({}).mood, of({}).words, of({}).age_s], ["good", "no alert", 3.2]);
    assert.equal(of({ age_s: null }).mood, "waiting");
    assert.deepEqual([of({}, 18).mood, of({}, 19).mood], ["good", "bad"]);
    assert.equal(of({}, 0, false).mood, "unknown");
    assert.equal(of({ alerts: [alert()] }).mood, "waiting");
    assert.equal(of({ alerts: [alert(), alert({ severity: "critical" })] }, 0, false).mood, "bad");
    assert.equal(of({ alerts: [alert({ firing: false })] }).mood, "good");
  });
  test("an audit is good only while it is clean and fresh", () => {
    const of = (values, elapsed = 0, heard = true) => judgement.auditVerdict(audit(values), elapsed, heard);
    assert.deepEqual(of({}), { mood: "good", words: "both ends hold the same" });
    assert.equal(of({ kind: "count" }).words, "both ends count the same");
    assert.deepEqual(of({ rejected_documents: 1, unsettled: 2 }), { mood: "waiting", words: "nothing known to be wrong, but 1 rejected, 2 unsettled" });
    assert.deepEqual(of({ unaudited_collections: 1 }), { mood: "waiting", words: "nothing known to be wrong, but 1 collection not compared" });
    assert.deepEqual(of({ stale: 2, rejected_documents: 2 }), { mood: "bad", words: "2 stale behind a reject" });
    assert.deepEqual(of({ unreadable: 1, doubled: 3 }), { mood: "bad", words: "1 unreadable, 3 on two shards" });
    assert.deepEqual(of({ missing: 2, different: 1 }), { mood: "bad", words: "2 missing, 1 different" });
    assert.equal(of({ error: "no answer", extra: 3 }).words, "3 extra");
    assert.deepEqual(of({ error: "no answer" }), { mood: "bad", words: "the last audit failed" });
    assert.deepEqual(of({ state: "stopped", error: "a view" }), { mood: "bad", words: "can't be audited" });
    assert.deepEqual(of({ age_s: null, finished_at_ms: 0 }), { mood: "waiting", words: "not audited yet" });
    assert.deepEqual(of({ age_s: null, finished_at_ms: 0, state: "running" }), { mood: "waiting", words: "the first audit runs" });
    assert.equal(of({}, 1094).mood, "good");
    assert.equal(of({}, 1095).mood, "waiting");
    assert.equal(of({ every_s: 0 }, 100_000).mood, "good");
    assert.equal(of({}, 0, false).mood, "unknown");
  });
  test("a finding is what is wrong, where, and the id", () => {
    assert.deepEqual(judgement.splitFinding('missing shop.orders {"a": 1}'), { what: "missing", where: "shop.orders", id: '{"a": 1}' });
    assert.deepEqual(judgement.splitFinding("odd"), { what: "", where: "", id: "odd" });
  });
});
