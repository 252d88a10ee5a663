// What the guard found, as the page shows it: apart from what the pipelines say of themselves.
import assert from "node:assert/strict";
import { suite } from "./fixture.mjs";
import { alert, audit, guard } from "./samples.mjs";
import { eventually, proofItem, showView, waitForText } from "./support.mjs";

const withGuard = (change = {}) => ({ prepare: (server) => { server.guard = guard(change); } });

suite("the guard", (onPage) => {
  onPage("an alert stands at the top of the overview with its severity, figure, limit, age and what to do", withGuard(), async ({ server, page }) => {
    await waitForText(page, "Ingestion");
    assert.equal(await page.locator(".alerts").count(), 0);
    await proofItem(page, "Guard").getByText("no alert").waitFor();
    server.alert(
      alert({ name: "position_lost", severity: "critical", text: "the stored position is 12 min older than the oldest entry of the oplog: changes are gone", hint: "accept the gap with `tidemark position set`", figure: 720, limit: 0, unit: "seconds" }),
      alert({ fired_at_ms: Date.now() - 61_500 }),
    );
    const region = page.getByRole("region", { name: "Firing now: 2 alerts" });
    await region.waitFor();
    const items = region.getByRole("list", { name: "Firing alerts" }).getByRole("listitem");
    assert.equal(await items.count(), 2);
    const first = await items.first().textContent();
    for (const text of ["critical", "position lost", "orders", "The stored position is 12 min older", "12 m", "limit 0 s", "What to do: Accept the gap with tidemark position set."]) assert.ok(first.includes(text), `${text} in ${first}`);
    assert.equal(await items.first().locator("code").textContent(), "tidemark position set");
    const second = await items.nth(1).textContent();
    for (const text of ["warning", "lag", "1 m 15 s", "limit 1 m"]) assert.ok(second.includes(text), `${text} in ${second}`);
    assert.match(second, /for 1 m [1-9] s, since \d\d:\d\d:\d\d/);
    const above = (await region.boundingBox()).y < (await page.getByRole("list", { name: /^The planes/ }).boundingBox()).y;
    assert.ok(above, "alerts come before the planes");
    await proofItem(page, "Guard").getByText("1 critical of 2").waitFor();
    await page.getByRole("navigation").getByLabel("2 firing").waitFor();
    await page.locator("[aria-live=polite]").getByText(/Alert, critical, orders: the stored position is 12 min older/).waitFor({ state: "attached" });
  });

  onPage("a resolved alert leaves the overview, is said, and stays listed with how long it lasted", withGuard({ alerts: [alert({ seq: 77 })] }), async ({ server, page }) => {
    await page.getByRole("region", { name: "Firing now: 1 alert" }).waitFor();
    await page.locator("[aria-live=polite]").getByText(/Alert, warning/).waitFor({ state: "attached" });
    const now = Date.now();
    server.alert(alert({ seq: 77, firing: false, fired_at_ms: now - 300_000, resolved_at_ms: now }));
    await eventually(async () => (await page.locator(".alerts").count()) === 0, "the alert leaves");
    await page.locator("[aria-live=polite]").getByText("Alert resolved: lag of orders").waitFor({ state: "attached" });
    await showView(page, "Proof of life");
    const resolved = page.getByRole("list", { name: "Resolved alerts, newest first" }).getByRole("listitem");
    await resolved.getByText(/lag of orders, warning, after 5 m/).waitFor();
    await waitForText(page, "none fires");
    server.happen("alert", "lag: the position is 75 s behind the deployment", { pipeline: "orders" });
    server.happen("alert", "lag resolved", { pipeline: "orders" });
    await showView(page, "Timeline");
    const entries = page.getByRole("list", { name: "What happened, newest first" }).getByRole("listitem");
    await entries.first().getByText("alert resolved").waitFor();
    assert.ok(await entries.first().evaluate((entry) => entry.classList.contains("mood-good")));
    assert.ok(await entries.nth(1).evaluate((entry) => entry.classList.contains("mood-bad")));
  });

  onPage("an audit shows both ends, what is missing, extra and different, and which documents", { page: { route: "proof" }, ...withGuard({ audits: [
    audit(),
    audit({ pipeline: "invoices", destination_documents: 1_204_332, missing: 2, extra: 3, different: 21, unsettled: 1, buckets_differing: 4, first_ids: ['missing shop.invoices {"$oid":"65f0c0ffee65f0c0ffee65f0"}'] }),
    audit({ pipeline: "archive", kind: "count", state: "running", progress: 0.37, age_s: null, finished_at_ms: 0 }),
    audit({ pipeline: "ledger", state: "stopped", error: "the position is lost: nothing can be settled.", age_s: null, finished_at_ms: 0 }),
  ] }) }, async ({ server, page }) => {
    const card = (name) => page.getByRole("article", { name: `Audit of ${name}` });
    await card("orders").getByText("both ends hold the same").waitFor();
    await card("orders").getByText(/last audit 2 m \d+ s ago, took 8.4 s/).waitFor();
    const bad = card("invoices");
    await bad.getByText("2 missing, 3 extra, 21 different").waitFor();
    const figures = await bad.locator("dl").textContent();
    for (const text of ["Source1\u202f204\u202f331", "Destination1\u202f204\u202f332", "Missing2", "Extra3", "Different21", "4 differed"]) assert.ok(figures.includes(text), `${text} in ${figures}`);
    await bad.getByText(/1 document kept changing/).waitFor();
    await bad.getByText("Which document").click();
    await bad.getByText('{"$oid":"65f0c0ffee65f0c0ffee65f0"}').waitFor();
    await bad.getByText("and 25 more").waitFor();
    assert.equal(await card("archive").getByRole("progressbar").getAttribute("aria-valuenow"), "37");
    await card("archive").getByText("the first audit runs").waitFor();
    await card("ledger").getByText("can't be audited").waitFor();
    await card("ledger").getByText(/nothing can be settled/).waitFor();
    // A silent socket: what was proven is no longer, what was found stays.
    server.silent = true;
    await card("orders").getByText(/both ends agreed 2 m/).waitFor();
    await bad.getByText("2 missing, 3 extra, 21 different").waitFor();
  });

  onPage("the guard's judgement stands apart from the pipelines' own word", { page: { route: "proof" }, ...withGuard({ alerts: [alert({ severity: "critical" })] }) }, async ({ page }) => {
    const judged = page.getByRole("region", { name: "The guard's judgement" });
    await judged.getByText("The position is 75 s behind the deployment").first().waitFor();
    const own = page.getByRole("region", { name: "What each part proves itself" });
    await own.getByText("feed agrees with the stats").first().waitFor();
    assert.equal(await own.getByText("75 s behind").count(), 0);
    assert.ok((await judged.boundingBox()).y < (await own.boundingBox()).y);
  });

  onPage("a guard that stopped looking is itself a fault", withGuard({ age_s: 40 }), async ({ page }) => {
    await page.getByText("The guard is late").waitFor();
    await waitForText(page, /The guard has not looked for 4\d s/);
    await proofItem(page, "Guard").getByText("the guard itself is late").waitFor();
  });

  onPage("without a guard the page says that nobody looks", {}, async ({ page }) => {
    await waitForText(page, "Ingestion");
    assert.equal(await proofItem(page, "Guard").count(), 0);
    await showView(page, "Proof of life");
    await waitForText(page, /No guard looks at these pipelines/);
  });

  onPage("text that a document's id brings is text", { page: { route: "proof" }, ...withGuard({ alerts: [alert({ text: "of <img src=x onerror=alert(1)>" })], audits: [audit({ missing: 1, first_ids: ['missing a.b "<script>1</script>"'] })] }) }, async ({ page }) => {
    await waitForText(page, "Of <img src=x onerror=alert(1)>.");
    await page.getByText("Which document").click();
    await waitForText(page, '"<script>1</script>"');
  });
});
