// The failure that this page exists against, on the program itself: the feed's cursor dies and the server refuses another,
// while the stats climb, the socket is open and every ping is answered.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import readline from "node:readline";
import { onEveryServer, within } from "../integration/drivers/support/servers.mjs";
import { eventually, launch, openPage, proofItem, screenshot, showView, waitForText } from "./support.mjs";

const BIN_DIR = process.env.TIDEMARK_BIN_DIR ?? path.join(import.meta.dirname ?? ".", "../../build/release/bin");
const STATS_INTERVAL_MS = 5_000;
// The page waits a second for the feed before it judges, and a slow machine takes its time to draw.
const JUDGED_WITHIN_MS = STATS_INTERVAL_MS + 3_000;
const mood = async (locator) => (await locator.getAttribute("class")).match(/mood-(\w+)/)[1];

const configuration = (server) => `
[server]
listen = "127.0.0.1:0"

[[stats]]
type       = "mongodb"
uri        = "\${TEST_URI}"
database   = "${server.database}"
collection = "events"

[[pipeline]]
name      = "observe"
retry_max = "2s"
read_wait = "100ms"

[pipeline.source]
type       = "mongodb"
uri        = "\${TEST_URI}"
database   = "${server.database}"
collection = "events"
app_name   = "feed"

[pipeline.sink]
type = "live"

[pipeline.position]
type = "memory"
`;

// The program with that file; its page's address.
async function startProgram(server, folder) {
  const file = path.join(folder, "observe.toml");
  writeFileSync(file, configuration(server));
  const child = spawn(path.join(BIN_DIR, "tidemark"), ["run", file], {
    stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, TEST_URI: server.uri },
  });
  const lines = readline.createInterface({ input: child.stderr });
  const seen = [];
  const url = new Promise((resolve, reject) => {
    lines.on("line", (line) => {
      seen.push(line);
      const address = line.match(/the page is at (http:\S+)/);
      if (address) resolve(address[1]);
    });
    child.once("exit", (code) => reject(new Error(`tidemark ended with ${code}\n${seen.join("\n")}`)));
  });
  url.catch(() => {});
  return { child, url: await within(url, "address of the page"), seen };
}

onEveryServer((server) => {
  server.faultTest("a feed whose cursor is dead is named within a stats interval, and catches up by replay", async () => {
    const events = server.collection("events");
    const store = (from, count) => events.insertMany(
      Array.from({ length: count }, (_, i) => ({ raw: { id: `e${from + i}`, source: "urn:test", data: { title: `event ${from + i}` } }, severity: "light", category: "test" })));
    await store(0, 5);
    const refuse = (mode) => server.onPrimary({
      configureFailPoint: "failCommand", mode, data: { failCommands: ["aggregate", "getMore"], errorCode: 262, appName: "feed" },
    });

    const folder = mkdtempSync(path.join(tmpdir(), "tidemark-page-"));
    const browser = await launch();
    let program;
    try {
      program = await startProgram(server, folder);
      const { page, problems } = await openPage(browser, program.url, { route: "proof" });
      await waitForText(page, "feed agrees with the stats");
      await store(5, 20);
      await waitForText(page, /received, by this page/);

      await refuse("alwaysOn");
      // The getMore that is under way still answers; what is stored after it never reaches the feed.
      await page.getByRole("listitem", { name: "observe pipeline" }).getByText(/waiting for the source, next try in/).waitFor();
      await store(25, 30);
      const silent = performance.now();
      await waitForText(page, "feed observe behind by 30", { timeout: JUDGED_WITHIN_MS });
      assert.ok(performance.now() - silent <= JUDGED_WITHIN_MS);
      assert.equal(await mood(proofItem(page, "Feed")), "bad");
      for (const other of ["Socket", "Stats"]) assert.equal(await mood(proofItem(page, other)), "good", other);
      await screenshot(page, `real-silent-cursor-${server.compat}`);

      await refuse("off");
      await waitForText(page, "feed agrees with the stats");
      // The pipeline's own state comes with the next status, a second later at most.
      await eventually(async () => (await mood(proofItem(page, "Feed"))) === "good", "the feed is well again");
      await showView(page, "Timeline");
      await waitForText(page, /30 events had happened in the [\d.]+ s since/);
      await showView(page, "Live feed");
      const shown = await page.locator(".row:not(.row-gap) .row-what b").allTextContents();
      assert.equal(new Set(shown).size, shown.length, "an event is shown twice");
      await waitForText(page, "50 events received");
      assert.deepEqual(problems, []);
    } catch (error) {
      throw new Error(`${error.message}\n--- the program's log\n${program?.seen.join("\n")}`);
    } finally {
      await browser.close();
      program?.child.removeAllListeners("exit");
      program?.child.kill("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
