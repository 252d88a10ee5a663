// A picture of each view, light and dark, on a desktop and a phone, kept as artifacts. What they show is fixed up to times.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { FakeServer } from "./fake_server.mjs";
import { pipeline, quakes } from "./samples.mjs";
import { launch, openPage, screenshot, waitForText } from "./support.mjs";

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
    server.happen("alert", "Oplog window: 6 h 12 m until this position is lost, less than half of what there was", { at_ms: now - 10_000 });
    server.insert(...quakes(160));
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
