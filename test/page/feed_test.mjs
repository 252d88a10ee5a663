// The live feed: rows, severities, replays, gaps, the pause, the filter, one event in full.
import assert from "node:assert/strict";
import { suite } from "./fixture.mjs";
import { quakes } from "./samples.mjs";
import { eventually, waitForText } from "./support.mjs";

const rows = (page) => page.getByRole("option");
const titles = (page) => page.locator(".row:not(.row-gap) .row-what b").allTextContents();
const onFeed = { page: { route: "feed" } };

suite("the live feed", (onPage) => {
  onPage("shows events as they arrive, newest first, severity by word and colour", onFeed, async ({ server, page }) => {
    server.insert({ title: "first", severity: "minor" }, { title: "second", severity: "major" }, { title: "third", severity: "peculiar" });
    await waitForText(page, "third");
    assert.deepEqual(await titles(page), ["third", "second", "first"]);
    const severity = (title) => rows(page).filter({ hasText: title }).locator(".severity");
    assert.equal(await severity("second").textContent(), "major");
    const colour = (title) => severity(title).evaluate((element) => getComputedStyle(element).color);
    assert.notEqual(await colour("second"), await colour("first"));
    assert.equal(await severity("third").textContent(), "peculiar");
  });

  onPage("shows what is in the server's ring when it connects", { ...onFeed, prepare: (server) => server.insert(...quakes(30)) }, async ({ page }) => {
    await waitForText(page, "30 events received");
  });

  onPage("shows nothing twice that a replay brings again", onFeed, async ({ server, page }) => {
    server.insert({ title: "one" }, { title: "two" });
    await waitForText(page, "two");
    server.heal(2);
    server.insert({ title: "three" });
    await waitForText(page, "three");
    assert.deepEqual(await titles(page), ["three", "two", "one"]);
    await waitForText(page, "2 replays left out");
  });

  onPage("shows a gap as a gap, where it is, whatever the filter", onFeed, async ({ server, page }) => {
    server.insert({ title: "before" });
    await waitForText(page, "before");
    server.gap(1234);
    server.insert({ title: "after" });
    await waitForText(page, "after");
    const texts = await rows(page).allTextContents();
    assert.match(texts[0], /after/);
    assert.match(texts[1], /^Gap: 1.234 events were not sent to this page/);
    assert.match(texts[2], /before/);
    await page.getByLabel("Filter by words").fill("before");
    await eventually(async () => (await titles(page)).length === 1, "one event left");
    assert.equal(await page.locator(".row-gap").count(), 1);
  });

  onPage("holds still when paused, and counts what is new", onFeed, async ({ server, page }) => {
    server.insert({ title: "held" });
    await waitForText(page, "held");
    await page.getByRole("button", { name: "Pause" }).click();
    server.insert({ title: "new one" }, { title: "new two" });
    await page.getByRole("button", { name: "Resume, 2 new" }).waitFor();
    assert.deepEqual(await titles(page), ["held"]);
    await page.getByRole("button", { name: /Resume/ }).click();
    await waitForText(page, "new two");
    assert.deepEqual(await titles(page), ["new two", "new one", "held"]);
  });

  onPage("pauses when one scrolls away from the newest, and goes on at the top", { ...onFeed, prepare: (server) => server.insert(...quakes(150)) }, async ({ server, page }) => {
    await waitForText(page, "150 events received");
    const list = page.getByRole("listbox");
    await list.evaluate((element) => { element.scrollTop = 900; });
    await page.getByRole("button", { name: "Resume, 0 new" }).waitFor();
    server.insert({ title: "while reading" });
    await page.getByRole("button", { name: "Resume, 1 new" }).waitFor();
    await list.evaluate((element) => { element.scrollTop = 0; });
    await waitForText(page, "while reading");
    await page.getByRole("button", { name: "Pause" }).waitFor();
  });

  onPage("filters by words and by severity", onFeed, async ({ server, page }) => {
    server.insert({ title: "Fiji region", severity: "minor" }, { title: "Alaska", severity: "major" }, { title: "Fiji south", severity: "major" });
    await waitForText(page, "Fiji south");
    await page.keyboard.press("/");
    await page.keyboard.type("FIJI");
    await eventually(async () => (await titles(page)).join() === "Fiji south,Fiji region", "the words' rows");
    await page.getByRole("button", { name: "major" }).click();
    await eventually(async () => (await titles(page)).join() === "Fiji south", "the severity's rows");
    assert.equal(await page.getByRole("button", { name: "major" }).getAttribute("aria-pressed"), "true");
    server.insert({ title: "Fiji again", severity: "major" }, { title: "Fiji weak", severity: "minor" });
    await eventually(async () => (await titles(page)).join() === "Fiji again,Fiji south", "new rows pass the filter too");
    await page.getByLabel("Filter by words").fill("nothing like it");
    await waitForText(page, "Nothing of what is kept matches the filter.");
  });

  onPage("shows one event in full as JSON, by mouse and by keyboard", onFeed, async ({ server, page }) => {
    server.insert({ id: "q-77", title: "to look at", mag: 6.6 }, { title: "above" });
    await waitForText(page, "above");
    await rows(page).filter({ hasText: "to look at" }).click();
    const panel = page.getByRole("complementary", { name: "The event in full" });
    assert.match(await panel.locator("pre").textContent(), /"id": "q-77"[\s\S]*"mag": 6.6/);
    await page.keyboard.press("Escape");
    await panel.waitFor({ state: "detached" });
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute("role")), "listbox");
    await page.keyboard.press("Home");
    await page.keyboard.press("ArrowDown");
    const chosen = await page.getByRole("listbox").getAttribute("aria-activedescendant");
    assert.match(await page.locator(`#${chosen}`).textContent(), /to look at/);
    await page.keyboard.press("Enter");
    await panel.waitFor();
    assert.match(await panel.textContent(), /to look at/);
  });

  onPage("keeps a bounded list, and draws the rows in sight alone", onFeed, async ({ server, page }) => {
    for (let i = 0; i < 30; i++) server.insert(...quakes(100));
    await waitForText(page, /3.000 events received/);
    const size = await rows(page).first().getAttribute("aria-setsize");
    assert.equal(size, "2000");
    assert.ok((await rows(page).count()) < 60, "rows in the document");
  });

  onPage("text of an event is text, never markup", onFeed, async ({ server, page }) => {
    server.insert({ title: "<img src=x onerror=alert(1)><b>bold</b>" });
    await waitForText(page, "<img src=x onerror=alert(1)><b>bold</b>");
    assert.equal(await page.locator(".feed-list img").count(), 0);
  });
});
