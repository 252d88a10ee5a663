// Every view renders what it is told, can be reached by keyboard, and is readable without eyes.
import assert from "node:assert/strict";
import { suite } from "./fixture.mjs";
import { alert, audit, guard, pipeline } from "./samples.mjs";
import { eventually, proofItem, showView, waitForText } from "./support.mjs";

// A guard with something of each kind to say.
function judge(server) {
  server.guard = guard({
    notices_sent: 3, notices_failed: 1,
    alerts: [alert({ severity: "critical", name: "audit_missing", text: "orders lacks 2 documents: shop.orders {\"$oid\":\"65f0c0ffee65f0c0ffee65f0\"}, {\"$oid\":\"65f0c0ffee65f0c0ffee65f1\"}" }), alert(), alert({ pipeline: "", firing: false, resolved_at_ms: Date.now() - 60_000 })],
    audits: [audit(), audit({ pipeline: "invoices", missing: 2, extra: 1, unsettled: 3, buckets_differing: 1, first_ids: ['missing shop.invoices {"$oid":"65f0c0ffee65f0c0ffee65f0"}'] }), audit({ pipeline: "archive", state: "running", progress: 0.4 }),
      audit({ pipeline: "ledger", state: "stopped", error: "a view can't be audited" }), audit({ pipeline: "audits", kind: "count", age_s: null, finished_at_ms: 0, process: "http://127.0.0.1:8322" })],
  });
}

const VIEWS = ["Overview", "Proof of life", "Live feed", "Timeline", "Dead letters"];

suite("the views", (onPage) => {
  onPage("the overview shows planes, flows, states in words and the figures of a position", { prepare: (server) => {
    server.pipelines.push(pipeline("relay", { name: "orders", state: "waiting for the sink", retry_in_s: 30, retry_attempt: 2, sink_retries: 2, error: "database is locked", ready: false }));
  } }, async ({ server, page }) => {
    for (const plane of ["Ingestion", "Processing", "Storage", "Observation", "Relays"]) await page.getByRole("heading", { level: 2, name: plane }).waitFor();
    const observe = page.getByRole("article", { name: "Pipeline observe" });
    for (const text of ["streaming", "6 h 12 m until this position is lost", "Lag", "400 ms", "Position age", "In flight", "Retries"]) await observe.getByText(text, { exact: true }).first().waitFor();
    await page.getByRole("article", { name: "Pipeline orders" }).getByText(/waiting for the sink, next try in \d+ s \(2nd\)/).waitFor();
    await page.getByRole("listitem", { name: /flow: 42 a second, 12 queued/ }).waitFor();
    assert.equal(await observe.locator("canvas").count(), 1);
    await page.getByRole("article", { name: "The store, by the stats" }).getByText(/1.000/).first().waitFor();
    server.change("process", { dead_letters: 4, retry_in_s: 3, retry_attempt: 1, state: "waiting for the source" });
    await page.getByRole("article", { name: "Pipeline process" }).getByText("waiting for the source, next try in 3 s (1st)").waitFor();
    await page.getByRole("navigation").getByText("4").waitFor();
  });

  onPage("a relay alone has no planes, no feed and no stats, and the page says so", { server: { feed: null }, prepare: (server) => {
    server.pipelines = [pipeline("relay", { name: "orders" })];
    server.statsConfigured = false;
  } }, async ({ page }) => {
    await page.getByRole("article", { name: "Pipeline orders" }).waitFor();
    assert.equal(await page.getByRole("heading", { name: "Ingestion" }).count(), 0);
    await proofItem(page, "Feed").getByText("no live sink here").waitFor();
    await proofItem(page, "Stats").getByText("not configured").waitFor();
    await showView(page, "Live feed");
    await waitForText(page, /there is no feed to show/);
    await showView(page, "Proof of life");
    await waitForText(page, "no stats to compare with");
  });

  onPage("nothing is wider than the screen, on any width between phone and desktop", { server: { demo: true }, prepare: (server) => { server.refuse({ id: "a" }); judge(server); } }, async ({ page }) => {
    await waitForText(page, "Ingestion");
    for (const width of [320, 600, 720, 800, 1024, 1280]) {
      await page.setViewportSize({ width, height: 800 });
      for (const view of VIEWS) {
        await showView(page, view);
        const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.ok(over <= 0, `${view} is ${over} px too wide at ${width}`);
      }
    }
  });

  onPage("the timeline shows what happened, newest first, with what was replayed and the wait that runs", { page: { route: "timeline" }, prepare: (server) => {
    server.happen("election", "rs0-1 was elected");
    server.happen("resumed", "Resumed after 1.2 s", { replayed: 48 });
  } }, async ({ server, page }) => {
    const entries = page.getByRole("list", { name: "What happened, newest first" }).getByRole("listitem");
    await entries.first().getByText("48 replayed").waitFor();
    assert.match(await entries.nth(1).textContent(), /election.*rs0-1 was elected/);
    server.happen("cursor_dead", "The change stream died");
    await entries.first().getByText("cursor dead").waitFor();
    server.change("observe", { state: "waiting for the source", retry_in_s: 20, retry_attempt: 1, error: "refused" });
    const waits = page.getByRole("list", { name: "Waiting now" });
    await waits.getByText(/observe waiting for the source, next try in \d+ s/).waitFor();
    server.silent = true; // the page counts by itself between two statuses
    await eventually(async () => parseInt(await waits.locator(".countdown").textContent(), 10) < 19, "the countdown moves");
    server.silent = false;
    await page.getByLabel("Kind").selectOption("election");
    await eventually(async () => (await entries.count()) === 1, "elections alone");
  });

  onPage("every view is reached by keyboard, says its name and moves the focus there", {}, async ({ page }) => {
    await waitForText(page, "Ingestion");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
    for (const [i, name] of VIEWS.entries()) {
      const link = page.getByRole("navigation", { name: "Views" }).getByRole("link", { name });
      await page.getByRole("link", { name: "Skip to the content" }).focus();
      for (let tabs = 0; tabs < 1 + i; tabs++) await page.keyboard.press("Tab");
      assert.ok(await link.evaluate((element) => element === document.activeElement), `${2 + i} tabs lead to ${name}`);
      assert.notEqual(await link.evaluate((element) => getComputedStyle(element).outlineStyle), "none");
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { level: 1, name }).waitFor();
      await eventually(() => page.evaluate((title) => document.title.startsWith(title), name), "the title follows");
      assert.equal(await link.getAttribute("aria-current"), "page");
      if (i > 0) await eventually(() => page.evaluate((text) => document.activeElement.textContent === text, name), "the focus follows");
    }
  });

  onPage("has landmarks, a polite voice for changes of state, and a name for everything one can press", {}, async ({ server, page }) => {
    await waitForText(page, "Ingestion");
    for (const role of ["banner", "main", "contentinfo"]) assert.equal(await page.getByRole(role).count(), 1, role);
    for (const view of VIEWS) {
      await showView(page, view);
      assert.equal(await page.getByRole("heading", { level: 1 }).count(), 1);
      const nameless = await page.evaluate(() => [...document.querySelectorAll("button, a, input, select, [role=img], [role=listbox]")]
        .filter((element) => !(element.getAttribute("aria-label") || element.textContent.trim() || element.labels?.length)).map((element) => element.outerHTML));
      assert.deepEqual(nameless, [], view);
    }
    assert.equal(await page.locator(".feed-list[aria-live], [aria-live] .feed-list").count(), 0);
    server.change("ingest", { state: "waiting for the sink", retry_in_s: 9, retry_attempt: 1 });
    await page.locator("[aria-live=polite]").getByText("ingest: waiting for the sink").waitFor({ state: "attached" });
  });

  for (const dark of [false, true]) {
    onPage(`text stands out from its ground in the ${dark ? "dark" : "light"} colours`, { page: { dark }, server: { demo: true }, prepare: (server) => {
      server.refuse({ id: "a" });
      server.happen("alert", "window");
      judge(server);
      server.pipelines[2] = pipeline("observe", { state: "waiting for the source", retry_in_s: 30, retry_attempt: 2, error: "no primary", ready: false });
      for (const severity of ["minor", "light", "moderate", "strong", "major", "other"]) server.insert({ severity });
    } }, async ({ page }) => {
      await waitForText(page, "Ingestion");
      for (const view of VIEWS) {
        await showView(page, view);
        await page.locator("main .card, main .row, main .letter, main .entry").first().waitFor();
        assert.deepEqual(await page.evaluate(lowContrast), [], view);
      }
    });
  }

  onPage("the theme can be chosen, and is remembered", {}, async ({ page }) => {
    await waitForText(page, "Ingestion");
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground();
    const button = page.getByRole("button", { name: /^Colours:/ });
    await button.click();
    await button.click();
    await page.getByRole("button", { name: /^Colours: dark/ }).waitFor();
    assert.notEqual(await ground(), light);
    await page.reload();
    await waitForText(page, "Ingestion");
    assert.notEqual(await ground(), light);
  });

  onPage("on a phone the views are a bar at the bottom, and nothing is wider than the screen", { page: { phone: true }, server: { demo: true }, prepare: judge }, async ({ page }) => {
    await waitForText(page, "Ingestion");
    const bar = await page.getByRole("navigation", { name: "Views" }).boundingBox();
    assert.ok(bar.y + bar.height >= 843 && bar.y > 700, `the bar is at ${bar.y}`);
    for (const view of VIEWS) {
      await showView(page, view);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), view);
    }
  });
});

// Runs in the page: visible text whose contrast against what is painted behind it is below WCAG's 4.5 (3 for large text).
function lowContrast() {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], under) => [r, g, b].map((value, i) => value * a + under[i] * (1 - a));
  const ground = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] > 0) layers.unshift(colour);
      if (colour[3] === 1) break;
    }
    return layers.reduce((under, colour) => over(colour, under), [255, 255, 255]);
  };
  const luminance = (colour) => colour.map((value) => value / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const low = [];
  for (const element of document.querySelectorAll("#page *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim() !== "");
    const style = getComputedStyle(element);
    if (!own || element.disabled || !element.checkVisibility({ visibilityProperty: true }) || element.closest(".visually-hidden, .skip, svg")) continue;
    const under = ground(element);
    const [r, g, b, a] = rgba(style.color);
    const text = over([r, g, b, a * Number(style.opacity)], under);
    const [light, dark] = [luminance(text), luminance(under)].sort((x, y) => y - x);
    const ratio = (light + 0.05) / (dark + 0.05);
    const px = parseFloat(style.fontSize);
    const large = px >= 24 || (px >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) low.push(`${ratio.toFixed(2)} ${element.className} "${element.textContent.trim().slice(0, 40)}"`);
  }
  return [...new Set(low)];
}
