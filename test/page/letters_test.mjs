// Dead letters: listed, looked at, put back, thrown away after a question; and the demo's buttons.
import assert from "node:assert/strict";
import { suite } from "./fixture.mjs";
import { eventually, waitForText } from "./support.mjs";

const REFUSED = [/Failed to load resource/];
const letters = (page) => page.getByRole("list", { name: "Dead letters" }).getByRole("listitem");
const posts = (server) => server.requests.filter(({ method }) => method === "POST");
const withLetters = (count, page = {}) => ({
  page: { route: "letters", ...page },
  prepare: (server) => server.refuse(...Array.from({ length: count }, (_, i) => ({ id: `letter-${i}`, reason: `reason ${i}` }))),
});

suite("dead letters", (onPage) => {
  onPage("are listed with reason, origin and attempts, and can be looked at", withLetters(2), async ({ page }) => {
    await letters(page).first().getByText("reason 0").waitFor();
    assert.match(await letters(page).first().textContent(), /process.*3 attempts.*from queue events/);
    await letters(page).nth(1).getByRole("button", { name: "Inspect" }).click();
    const dialog = page.getByRole("dialog", { name: "Dead letter" });
    assert.match(await dialog.locator("pre").textContent(), /\{\n {2}"specversion": "1.0"/);
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Inspect");
  });

  onPage("are put back by Retry, with the header that a changing request needs", withLetters(2), async ({ server, page }) => {
    await letters(page).first().getByRole("button", { name: "Retry" }).click();
    await waitForText(page, "Put back for another try: reason 0");
    await eventually(async () => (await letters(page).count()) === 1, "one letter left");
    const [post] = posts(server);
    assert.equal(post.url, "/api/dlq/retry");
    assert.deepEqual(JSON.parse(post.body), { pipeline: "process", id: "letter-0" });
    assert.equal(post.headers["x-tidemark-request"], "1");
    assert.equal(post.headers["content-type"], "application/json");
  });

  onPage("are thrown away only after a question", withLetters(1), async ({ server, page }) => {
    await letters(page).first().getByRole("button", { name: "Discard" }).click();
    const dialog = page.getByRole("dialog", { name: "Discard this dead letter?" });
    await dialog.getByRole("button", { name: "Keep it" }).click();
    assert.equal(posts(server).length, 0);
    await letters(page).first().getByRole("button", { name: "Discard" }).click();
    await dialog.getByRole("button", { name: "Discard it" }).click();
    await waitForText(page, "Discarded: reason 0");
    await waitForText(page, "No dead letters: nothing was refused for good.");
    assert.equal(posts(server)[0].url, "/api/dlq/discard");
  });

  onPage("that the server can't put back say why and stay", withLetters(1, { expected: REFUSED }), async ({ server, page }) => {
    server.letterError = "the broker is away";
    await letters(page).first().getByRole("button", { name: "Retry" }).click();
    await letters(page).first().getByRole("alert").getByText("Not put back: the broker is away").waitFor();
    server.letterError = null;
    await letters(page).first().getByRole("button", { name: "Retry" }).click();
    await waitForText(page, "Put back for another try: reason 0");
  });

  onPage("come in pages, and new ones by themselves", withLetters(70), async ({ server, page }) => {
    await waitForText(page, "50 letters listed, there are more");
    await page.getByRole("button", { name: "Show more" }).click();
    await waitForText(page, "70 letters listed");
    server.letters.unshift({ ...server.letters[0], id: "fresh", reason: "a fresh one" });
    server.change("process", { dead_letters: 71 });
    await letters(page).first().getByText("a fresh one").waitFor();
  });

  onPage("carry the token when there is one", { server: { token: "t0ken" }, page: { route: "letters", expected: [...REFUSED, /WebSocket connection/] }, prepare: withLetters(1).prepare }, async ({ server, page }) => {
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Token").fill("t0ken");
    await dialog.getByRole("button", { name: "Connect" }).click();
    await letters(page).first().getByRole("button", { name: "Retry" }).click();
    await waitForText(page, "Put back for another try: reason 0");
    assert.equal(posts(server).at(-1).headers.authorization, "Bearer t0ken");
  });
});

suite("the demo's buttons", (onPage) => {
  onPage("inflict what they say, and say what came of it", { server: { demo: true }, page: { expected: REFUSED } }, async ({ server, page }) => {
    const faults = page.getByRole("region", { name: "Inflict a fault" });
    await faults.getByRole("button", { name: "Kill the feed's cursor" }).click();
    await faults.getByText("Kill the feed's cursor: done.").waitFor();
    assert.deepEqual(server.inflicted, ["kill_cursor"]);
    await faults.getByRole("button", { name: "Kill the last secondary" }).click();
    await faults.getByText("Kill the last secondary: the sandbox has no secondary left").waitFor();
  });

  onPage("are nowhere outside the demo", {}, async ({ server, page }) => {
    await waitForText(page, "Ingestion");
    assert.equal(await page.getByRole("region", { name: "Inflict a fault" }).count(), 0);
    assert.ok(!server.requests.some(({ url }) => url.startsWith("/api/demo")));
  });
});
