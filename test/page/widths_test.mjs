// No figure, verdict or time is ever cut, on any screen: with the longest values that are still likely, every text stands
// whole within its box, and no box runs into the next.
import assert from "node:assert/strict";
import { suite } from "./fixture.mjs";
import { cutTexts } from "./cut_texts.mjs";
import { alert, audit, guard, letter, longest, pipeline, quakes } from "./samples.mjs";
import { artifacts, proofItem, showView, waitForText } from "./support.mjs";

const WIDTHS = [320, 390, 768, 1024, 1400, 1920];
const HEIGHT = 900;
const BROKEN = [/WebSocket connection to .* failed/, /Failed to load resource/];

// Everything long at once: days of lag, counts of twelve digits, names, IPv6 addresses, errors with all of them.
function prepare(server) {
  const { name, count, days_s, address, error, id } = longest;
  const figures = {
    events_read: count, events_delivered: count, events_rejected: count, events_retried: count, events_filtered: count, bytes_delivered: count * 1000, in_flight_events: 1_234_567,
    in_flight_bytes: 1_073_741_823, source_retries: 48_211, sink_retries: 12_345, source_opens: 48_212, events_per_s: 123_456, position_age_s: days_s, lag_s: days_s,
    oplog_window_left_s: days_s, backlog: count, dead_letters: 1_234_567, proof_of_life_s: days_s, process: `http://${address}`,
  };
  const waits = { state: "waiting for the source", retry_in_s: 27, retry_attempt: 1234, ready: false, error };
  server.pipelines = [
    pipeline("ingest", { ...figures, name: `${name}-ingest`, process: "", lag_s: null, dead_letters: null }), pipeline("process", { ...figures, ...waits, name: `${name}-process` }),
    pipeline("observe", { ...figures, name: `${name}-observe` }), pipeline("relay", { ...figures, ...waits, name: `${name}-relay`, state: "waiting for the sink", sink_type: "opensearch" }),
    pipeline("relay", { ...figures, name: "orders", ready: false, not_ready: `no sign of life of ${address} for 9 d 23 h`, source_opens: 2 }),
  ];
  server.total = count;
  server.queue_depth = count;
  server.by_severity = { minor: count, light: 88_888_888_888, moderate: 7_777_777_777, strong: 1, major: 0, "unclassified": count };
  const then = Date.now() - days_s * 1000;
  const found = [`missing ${name}.${name} {"$oid":"65f0c0ffee65f0c0ffee65f0"}`, `extra ${name}.${name} "${id}"`];
  server.guard = guard({
    age_s: 7, notices_sent: count, notices_failed: 123_456,
    alerts: [
      alert({ name: "destination_documents_unreadable", severity: "critical", pipeline: `${name}-relay`, process: `http://${address}`, text: error, figure: count, limit: 0, unit: "documents", fired_at_ms: then }),
      alert({ pipeline: `${name}-observe`, process: `http://${address}`, figure: days_s, limit: 86_399, fired_at_ms: then }),
      alert({ pipeline: `${name}-process`, process: `http://${address}`, firing: false, text: error, fired_at_ms: then, resolved_at_ms: then + 600_000 }),
    ],
    audits: [
      audit({ pipeline: `${name}-relay`, process: `http://${address}`, source_documents: count, destination_documents: count, filtered_documents: count, missing: count, extra: count, different: count, unreadable: count,
        stale: count, doubled: count, rejected_documents: count, unaudited_collections: 1234, unexamined: count, unsettled: count, buckets: 1_234_567, buckets_differing: 1_234_567, age_s: days_s, every_s: 691_199, duration_s: 86_399, first_ids: found }),
      audit({ pipeline: `${name}-observe`, state: "running", progress: 0.37, error, age_s: days_s, duration_s: 86_399 }),
      audit({ pipeline: "orders", source_documents: count, destination_documents: count, age_s: 43_199, every_s: 86_400 }),
    ],
  });
  server.happen("cursor_dead", error, { pipeline: `${name}-observe`, at_ms: then });
  server.happen("resumed", "Resumed after 9 d 23 h", { pipeline: `${name}-relay`, replayed: count });
  server.happen("alert", "destination_documents_unreadable resolved", { pipeline: `${name}-relay` });
  server.letters.push(...[id, `${id}-2`].map((one) => ({ ...letter({ id: one, reason: error, pipeline: `${name}-process`, attempts: 123_456 }), origin: `queue ${name}`, at_ms: then })));
}

async function measure(page, found, where) {
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: HEIGHT });
    await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
    if (process.env.TIDEMARK_PICTURES) await page.screenshot({ path: `${artifacts()}/width-${where.replace(/\W+/g, "-")}-${width}.png`, fullPage: true });
    for (const text of await page.evaluate(cutTexts)) found.push(`${where} at ${width}: ${text}`);
  }
}

for (const dark of [false, true]) {
  suite(`no figure, verdict or time is cut in the ${dark ? "dark" : "light"} colours`, (onPage) => {
    const long = { server: { demo: true, feed: `${longest.name}-observe` }, page: { dark, expected: BROKEN }, prepare };

    onPage("in the views, with the longest values", long, async ({ server, page }) => {
      const found = [];
      await proofItem(page, "Feed").getByText("agrees with stats").waitFor();
      server.insert(...quakes(60));
      server.gap(longest.count);
      server.insert(...quakes(3));
      for (const view of ["Overview", "Proof of life", "Timeline", "Dead letters", "Live feed"]) {
        await showView(page, view);
        if (view === "Proof of life") await page.evaluate(() => document.querySelectorAll("details").forEach((details) => { details.open = true; }));
        if (view === "Live feed") await waitForText(page, /not sent/);
        await measure(page, found, view);
      }
      await page.setViewportSize({ width: 1400, height: HEIGHT });
      await page.locator(".row:not(.row-gap)").first().click();
      await page.getByRole("complementary", { name: "The event in full" }).waitFor();
      await measure(page, found, "an event in full");
      assert.deepEqual(found, []);
    });

    onPage("in the dialogs", { ...long, page: { ...long.page, route: "letters" } }, async ({ page }) => {
      const found = [];
      for (const button of ["Inspect", "Discard"]) {
        await page.locator(".letter").first().getByRole("button", { name: button }).click();
        await page.getByRole("dialog").waitFor();
        await measure(page, found, button);
        await page.keyboard.press("Escape");
        await page.getByRole("dialog").waitFor({ state: "detached" });
      }
      assert.deepEqual(found, []);
    });

    onPage("when the feed is behind, and when the socket says nothing", long, async ({ server, page }) => {
      const found = [];
      await proofItem(page, "Feed").getByText("agrees with stats").waitFor();
      server.killCursor();
      server.total += longest.count;
      server.increment += 1;
      await proofItem(page, "Feed").getByText(/behind by/).waitFor();
      for (const view of ["Overview", "Proof of life"]) {
        await showView(page, view);
        await measure(page, found, `behind, ${view}`);
      }
      server.silent = true;
      await proofItem(page, "Socket").getByText("silent").waitFor();
      for (const view of ["Proof of life", "Overview"]) {
        await showView(page, view);
        await measure(page, found, `silent, ${view}`);
      }
      server.refusing = true;
      server.dropSockets();
      await proofItem(page, "Socket").getByText(/next try/).waitFor();
      await measure(page, found, "closed");
      assert.deepEqual(found, []);
    });
  });
}
