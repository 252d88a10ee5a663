// The pictures of README, taken of the demo itself: node test/page/pictures.mjs [FOLDER] (docs by default; `make pictures`).
// The demo runs without faults of its own until its feed is silenced by the page's button; what the page makes of it is shown.
import { spawn } from "node:child_process";
import path from "node:path";
import readline from "node:readline";
import { fileURLToPath } from "node:url";
import { launch, openPage, proofItem, waitForText } from "./support.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const folder = path.resolve(process.argv[2] ?? path.join(ROOT, "docs"));
const BIN = process.env.TIDEMARK_BIN_DIR ?? path.join(ROOT, "build/release/bin");
const EVENTS = /[5-9]\s?\d{3} events received/u; // half a minute of them
const SILENCE_MS = 8_000;
const TRIES_MAX = 6;
const DESKTOP = { width: 1400, height: 915 };

const demo = spawn(path.join(BIN, "tidemark"), ["demo", "--plain", "--no-faults", "--for", "10m", "--seed", "7", "--port", "0"], { stdio: ["ignore", "pipe", "inherit"] });
const ended = new Promise((resolve) => demo.once("exit", resolve));
let browser;
try {
  const url = await new Promise((resolve, reject) => {
    demo.once("exit", (code) => reject(new Error(`the demo ended with ${code}`)));
    readline.createInterface({ input: demo.stdout }).on("line", (line) => {
      const page = line.match(/The page:\s+(http:\S+)/);
      if (page) resolve(page[1]);
    });
  });
  browser = await launch();
  const views = [];
  for (const [name, options] of [["page", {}], ["page-dark", { dark: true }], ["page-phone", { phone: true }]]) {
    const opened = await openPage(browser, url, { ...options, route: "feed" });
    if (!options.phone) await opened.page.setViewportSize(DESKTOP);
    views.push({ name, ...opened });
  }
  for (const { page } of views) {
    await waitForText(page, EVENTS);
    await page.getByRole("navigation", { name: "Views" }).getByRole("link", { name: "Overview" }).click();
    await proofItem(page, "Feed").getByText("agrees with stats").waitFor();
  }
  // The silence lasts about as long as the stats take to notice it: each view has its own, and another try.
  for (const { name, page } of views) {
    for (let tries = 1; ; tries++) {
      await page.getByRole("button", { name: /Silence the feed/ }).click({ force: true });
      const behind = proofItem(page, "Feed").getByText(/behind by/);
      await page.mouse.move(0, 0);
      await page.evaluate(() => {
        document.activeElement.blur();
        document.querySelector(".faults-buttons").scrollLeft = 0;
      });
      if (await behind.waitFor({ timeout: SILENCE_MS }).then(() => true, () => false)) {
        await page.screenshot({ path: path.join(folder, `${name}.png`) });
        if (await behind.isVisible()) break; // and was so while the picture was taken
      }
      if (tries === TRIES_MAX) throw new Error("the page noticed no silence");
    }
    await proofItem(page, "Feed").getByText("agrees with stats").waitFor();
  }
  console.log(`${folder}: ${views.map(({ name }) => `${name}.png`).join(", ")}`);
} finally {
  await browser?.close();
  demo.kill("SIGINT");
  await ended;
}
