// A picture of each view, light and dark, on a desktop and a phone, kept as artifacts. What they show is fixed up to times.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { FakeServer } from "./fake_server.mjs";
import { alert, audit, guard, pipeline, quakes } from "./samples.mjs";
import { artifacts, launch, openPage, screenshot, waitForText } from "./support.mjs";

const FORMS = [{ dark: false, phone: false }, { dark: true, phone: false }, { dark: false, phone: true }, { dark: true, phone: true }];
const nameOf = (view, { dark, phone }) => `${view}-${dark ? "dark" : "light"}-${phone ? "phone" : "desktop"}`;

describe("pictures", () => {
  let browser;
  let server;
  before(async () => {
    browser = await launch();
    server = await new FakeServer({ demo: true }).start();
    server.pipelines.push(pipeline("relay", { name: "orders", state: "waiting for the sink", retry_in_s: 4, retry_attempt: 3, sink_retries: 3, error: "SQLite: database is locked (orders.db)", ready: false }));
    server.refuse({ id: "l1" }, { id: "l2", reason: "mongodb: document failed validation (121)", attempts: 1 }, { id: "l3", attempts: 1, reason: "not a CloudEvent: `specversion` is missing", event: "{\"type\": \"gov.usgs" });
    const minute = 60_000;
    const now = Date.now();
    server.happen("started", "Started, from the newest change", { at_ms: now - 14 * minute });
    server.happen("election", "The primary stepped down; rs0-1 was elected in term 4", { at_ms: now - 9 * minute });
    server.happen("cursor_dead", "The change stream died: 189 PrimarySteppedDown; opening again from the stored token", { at_ms: now - 9 * minute + 90 });
    server.happen("resumed", "Resumed after 1.2 s", { replayed: 48, at_ms: now - 9 * minute + 1290 });
    server.happen("dead_letter", "Refused for good after 3 attempts: the rules need raw.data.mag", { pipeline: "process", at_ms: now - 4 * minute });
    server.happen("fault", "Killed the feed's cursor by hand", { pipeline: "", at_ms: now - 2 * minute });
    server.happen("sink_fault", "SQLite: database is locked (orders.db); waiting 4 s (3rd try)", { pipeline: "orders", at_ms: now - minute });
    server.happen("alert", "lag: the position is 75 s behind the deployment (limit 60 s) and does not catch up", { pipeline: "orders", at_ms: now - 9 * minute + 5000 });
    server.happen("alert", "lag resolved", { pipeline: "orders", at_ms: now - 7 * minute });
    server.happen("alert", "oplog_window: the position has 0.46 of the oplog's window left (limit 0.5)", { at_ms: now - 10_000 });
    server.insert(...quakes(160));
    server.guard = guard({ audits: [
      audit({ pipeline: "orders" }),
      audit({ pipeline: "observe", kind: "count", source_documents: 18_420, destination_documents: 18_418, filtered_documents: 2, buckets: 36, age_s: 44, every_s: 60, duration_s: 0.34 }),
    ], notices_sent: 2, alerts: [alert({ firing: false, fired_at_ms: now - 9 * minute, resolved_at_ms: now - 7 * minute })] });
  });
  after(async () => {
    await browser.close();
    await server.stop();
  });

  for (const form of FORMS) {
    test(`of a good day, ${nameOf("", form).slice(1)}`, async () => {
      for (const [view, sign] of [["overview", "Ingestion"], ["proof", "feed agrees"], ["feed", "events received"], ["timeline", "election"], ["letters", "Refused"]]) {
        const { page, context, problems } = await openPage(browser, server.url, { route: view, ...form });
        await waitForText(page, /agrees with (the )?stats/);
        if (view === "letters") await page.locator(".letter").first().waitFor();
        else await waitForText(page, sign);
        if (view === "feed") {
          server.gap(37);
          server.insert(...quakes(6));
          await waitForText(page, /37 events were not sent/);
        }
        await screenshot(page, nameOf(view, form));
        if (view === "feed") {
          await page.locator(".row:not(.row-gap)").nth(2).click();
          await page.getByRole("complementary", { name: "The event in full" }).waitFor();
          await screenshot(page, nameOf("inspect", form));
        }
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.ok(overflow <= 0, `${view} is ${overflow} px wider than the screen`);
        assert.deepEqual(problems, []);
        await context.close();
      }
    });
  }

  test("of a guard that found something", async () => {
    const healthy = server.guard;
    const now = Date.now();
    server.guard = guard({
      notices_sent: 4, notices_failed: 1,
      alerts: [
        alert({ name: "audit_missing", severity: "critical", text: "missing at the destination: 2 documents of the source (limit 0 documents): shop.orders {\"$oid\":\"65f0c0ffee65f0c0ffee65f0\"}", hint: "`tidemark audit FILE --repair` delivers exactly those again; then find out who removed them", figure: 2, limit: 0, unit: "documents", fired_at_ms: now - 95_000 }),
        alert({ fired_at_ms: now - 724_000 }),
        alert({ name: "sink_failing", firing: false, fired_at_ms: now - 1_500_000, resolved_at_ms: now - 1_380_000, text: "the sink has refused every write for 35 s (limit 30 s): database is locked" }),
        alert({ name: "source_stalled", severity: "critical", pipeline: "observe", firing: false, fired_at_ms: now - 2_500_000, resolved_at_ms: now - 2_440_000, text: "the deployment answers, but nothing was committed by a majority for 41 s (limit 30 s)" }),
      ],
      audits: [
        audit({ source_documents: 1_204_331, destination_documents: 1_204_332, missing: 2, extra: 3, different: 21, unsettled: 1, buckets_differing: 4, first_ids: ['missing shop.orders {"$oid":"65f0c0ffee65f0c0ffee65f0"}', 'missing shop.orders {"$oid":"65f0c0ffee65f0c0ffee65f1"}', 'extra shop.orders "A-1204"', 'different shop.orders {"$numberLong":"77"}'] }),
        audit({ pipeline: "observe", kind: "count", state: "running", progress: 0.37, source_documents: 18_420, destination_documents: 18_418, filtered_documents: 2, buckets: 36, age_s: 61, every_s: 60, duration_s: 0.34 }),
        audit({ pipeline: "ledger", state: "stopped", error: "The stored position is lost: what is settled can't be told.", age_s: null, finished_at_ms: 0 }),
      ],
    });
    for (const form of FORMS) {
      for (const [view, sign] of [["overview", "Firing now"], ["proof", "The guard's judgement"]]) {
        const { page, context, problems } = await openPage(browser, server.url, { route: view, ...form });
        await waitForText(page, new RegExp(sign));
        await waitForText(page, /agrees with (the )?stats/);
        if (view === "proof") {
          await page.getByText("Which documents").click();
          await page.getByText("2 alerts resolved").click();
        }
        await page.screenshot({ path: `${artifacts()}/${nameOf(`guard-${view}`, form)}.png`, fullPage: true });
        assert.deepEqual(problems, []);
        await context.close();
      }
    }
    server.guard = healthy;
  });

  test("of a dead cursor behind a living socket", async () => {
    for (const form of FORMS) {
      const { page, context } = await openPage(browser, server.url, { route: "proof", ...form });
      await waitForText(page, /agrees with (the )?stats/);
      server.killCursor();
      server.insert(...quakes(24));
      server.change("observe", { state: "waiting for the source", retry_in_s: 7.6, retry_attempt: 4, source_retries: 4, error: "the server refuses to open the change stream: 13 Unauthorized", ready: false, lag_s: 9.1, proof_of_life_s: 9.4 });
      await waitForText(page, /behind by 24/);
      await screenshot(page, nameOf("silent-cursor", form));
      await page.goto(`${server.url}/#/overview`);
      await waitForText(page, "Ingestion");
      await screenshot(page, nameOf("overview-fault", form));
      server.heal(5);
      server.change("observe", pipeline("observe"));
      await context.close();
    }
  });
});
