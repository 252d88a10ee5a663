// The page can't lie: each part that dies is named, the others stay what they are, and nobody answers for what isn't heard.
import assert from "node:assert/strict";
import { suite } from "./fixture.mjs";
import { pipeline, quakes } from "./samples.mjs";
import { eventually, proofItem, showView, waitForText } from "./support.mjs";

const rowOf = (page, name) => page.locator(".proof-row", { hasText: name }).first();
const mood = async (locator) => (await locator.getAttribute("class")).match(/(?:mood|card)-(\w+)/)[1];
const titles = (page) => page.locator(".row:not(.row-gap) .row-what b").allTextContents();
const onProof = { page: { route: "proof" } };
// Chromium itself reports a socket that could not be opened, and answers that are errors.
const BROKEN = [/WebSocket connection to .* failed/, /Failed to load resource/];

suite("proof of life", (onPage) => {
  onPage("names the feed that fell silent behind a living socket, and agrees again once it caught up", onProof, async ({ server, page }) => {
    await waitForText(page, "feed agrees with the stats");
    server.insert({ title: "came" });
    server.killCursor();
    server.insert(...quakes(7).map((one, i) => ({ ...one, title: `late ${i}` })));
    const dead = performance.now();
    await waitForText(page, "feed observe behind by 7");
    const took_s = (performance.now() - dead) / 1000;
    assert.ok(took_s < server.stats_interval_s + 2.5, `it took ${took_s} s to say so`);
    assert.equal(await mood(proofItem(page, "Feed")), "bad");
    for (const other of ["Socket", "Stats", "Pipelines"]) assert.equal(await mood(proofItem(page, other)), "good", other);
    assert.equal(await mood(rowOf(page, "Socket")), "good");

    server.insert({ title: "later still" });
    await waitForText(page, "feed observe behind by 8");

    server.heal(3); // three that came already come again first
    await waitForText(page, "feed agrees with the stats");
    assert.equal(await mood(proofItem(page, "Feed")), "good");
    await showView(page, "Live feed");
    const shown = await titles(page);
    assert.equal(new Set(shown).size, shown.length, "an event is shown twice");
    assert.deepEqual(shown, ["later still", "late 6", "late 5", "late 4", "late 3", "late 2", "late 1", "late 0", "came"]);
  });

  onPage("says of a pipeline what it waits for, counting down, and how old its proof is", onProof, async ({ server, page }) => {
    server.change("observe", { state: "waiting for the source", retry_in_s: 30, retry_attempt: 5, ready: false, error: "no primary", proof_of_life_s: 12 });
    const row = page.getByRole("listitem", { name: "observe pipeline" });
    await row.getByText(/waiting for the source, next try in (30|29|28) s \(5th\)/).waitFor();
    await row.getByText("no primary").waitFor();
    await row.getByText(/1[2-9] s/).first().waitFor();
    await proofItem(page, "Pipelines").getByText("2 of 3 move").waitFor();
  });

  onPage("calls an open socket that says nothing silent, and everything behind it unknown", { page: { route: "proof", expected: BROKEN } }, async ({ server, page }) => {
    await waitForText(page, "feed agrees with the stats");
    server.silent = true;
    await proofItem(page, "Socket").getByText("silent").waitFor();
    assert.equal(await mood(proofItem(page, "Socket")), "bad");
    await eventually(async () => (await mood(proofItem(page, "Feed"))) === "unknown", "the feed is unknown");
    for (const part of ["Stats", "Pipelines"]) assert.equal(await mood(proofItem(page, part)), "unknown", part);
    await showView(page, "Overview");
    await waitForText(page, /The socket says nothing: these figures are from \d+ s ago/);
    server.silent = false;
    await proofItem(page, "Socket").getByText("open").waitFor();
    await eventually(async () => (await mood(proofItem(page, "Stats"))) === "good", "the stats are back");
  });

  onPage("opens a dead socket again after a countdown, and resumes behind the last event", { page: { route: "proof", expected: BROKEN } }, async ({ server, page }) => {
    server.insert({ title: "one" }, { title: "two" });
    await waitForText(page, "feed agrees with the stats");
    server.refusing = true;
    server.dropSockets();
    await proofItem(page, "Socket").getByText(/closed, next try in \d+ s/).waitFor();
    assert.equal(await mood(proofItem(page, "Socket")), "bad");
    assert.equal(await mood(proofItem(page, "Feed")), "unknown");
    server.insert({ title: "missed meanwhile" });
    server.refusing = false;
    await page.getByRole("button", { name: "Try now" }).click();
    await proofItem(page, "Socket").getByText("open").waitFor();
    await eventually(() => server.resumes.length > 0, "a resume");
    assert.deepEqual(server.resumes[0], { type: "resume", instance: server.instance, feed: "observe", after: 2 });
    await waitForText(page, "feed agrees with the stats");
    await showView(page, "Live feed");
    await eventually(async () => (await titles(page)).join() === "missed meanwhile,two,one", "all three, each once");
  });

  onPage("shows a server that was started anew as a gap of unknown size, and counts from there", { page: { route: "feed", expected: BROKEN } }, async ({ server, page }) => {
    server.insert({ title: "of the old" });
    await waitForText(page, "of the old");
    server.restart();
    await waitForText(page, "The server was started anew: what came in between is unknown");
    server.insert({ title: "of the new" });
    await waitForText(page, "of the new");
    await proofItem(page, "Feed").getByText("agrees with stats").waitFor();
  });

  onPage("calls stats that stop coming late, while socket and feed are what they are", onProof, async ({ server, page }) => {
    await proofItem(page, "Feed").getByText("agrees with stats").waitFor();
    server.statsAlive = false;
    await proofItem(page, "Stats").getByText("late").waitFor();
    await proofItem(page, "Feed").getByText(/agreed \d+ s ago, not compared since/).waitFor();
    assert.equal(await mood(proofItem(page, "Socket")), "good");
    server.insert({ title: "still comes" });
    await showView(page, "Live feed");
    await waitForText(page, "still comes");
  });

  onPage("ages tick without any frame", onProof, async ({ server, page }) => {
    server.change("ingest", { proof_of_life_s: 40 });
    const age = page.locator("[aria-label='ingest pipeline'] .proof-when b");
    await age.getByText(/^4\d s$/).waitFor();
    server.silent = true;
    const before = parseInt(await age.textContent(), 10);
    await eventually(async () => parseInt(await age.textContent(), 10) >= before + 2, "two seconds more");
    server.silent = false;
  });

  onPage("there is no light for the whole: four parts at least, each with words", onProof, async ({ server, page }) => {
    await waitForText(page, "feed agrees with the stats");
    assert.deepEqual(await page.locator(".proof-name").allTextContents(), ["Socket", "Feed", "Stats", "Pipelines"]);
    assert.deepEqual(await page.locator(".proof-part b").allTextContents(), ["Socket", "Feed", "Stats", ...server.pipelines.map(({ name }) => name)]);
    for (const words of await page.locator(".proof-row .state").allTextContents()) assert.notEqual(words.trim(), "");
  });

  onPage("shows a peer's pipeline that can't be reached with the reason", { page: { route: "overview" }, prepare: (server) => {
    server.pipelines[1] = pipeline("process", { process: "http://127.0.0.1:8322", state: "unreachable", ready: false, error: "connection refused", proof_of_life_s: 14 });
  } }, async ({ page }) => {
    const card = page.getByRole("article", { name: "Pipeline process" });
    await card.getByText("unreachable").waitFor();
    await card.getByText("in http://127.0.0.1:8322").waitFor();
    await card.getByText("connection refused").waitFor();
  });
});

suite("the token", (onPage) => {
  onPage("is asked for once, checked, kept for the tab, and sent with socket and requests",
    { server: { token: "sësame 1" }, page: { route: "letters", expected: BROKEN }, prepare: (server) => server.letters.push({ pipeline: "process", id: "a", reason: "why", origin: "", event: "{}", at_ms: 0, attempts: 1 }) },
    async ({ server, page }) => {
      const dialog = page.getByRole("dialog", { name: "This server asks for a token" });
      await dialog.waitFor();
      await dialog.getByLabel("Token").fill("wrong");
      await dialog.getByRole("button", { name: "Connect" }).click();
      await dialog.getByText("The server refused this token.").waitFor();
      await dialog.getByLabel("Token").fill("s" + "ësame 1");
      await dialog.getByRole("button", { name: "Connect" }).click();
      await dialog.waitFor({ state: "detached" });
      await proofItem(page, "Socket").getByText("open").waitFor();
      await page.locator(".letter").getByText("why").first().waitFor();
      await page.reload();
      await proofItem(page, "Socket").getByText("open").waitFor();
      assert.equal(await dialog.count(), 0);
      assert.ok(server.requests.some(({ url, headers }) => url.startsWith("/api/dlq") && headers.authorization), "no request carried the token");
    });
});
