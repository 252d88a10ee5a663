// Chromium for the tests of the page: found on PATH, driven by playwright-core, watched for what a page must never do.
import { accessSync, constants, mkdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const SOURCE_DIR = process.env.TIDEMARK_SOURCE_DIR ?? fileURLToPath(new URL("../../", import.meta.url));
export const STEP_MS_MAX = 30_000;
const DESKTOP = { width: 1440, height: 900 };
const PHONE = { width: 390, height: 844 };

export function findChromium() {
  const wanted = process.env.TIDEMARK_CHROMIUM ? [process.env.TIDEMARK_CHROMIUM] : [];
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    for (const folder of (process.env.PATH ?? "").split(path.delimiter)) wanted.push(path.join(folder, name));
  }
  for (const program of wanted) {
    try {
      accessSync(program, constants.X_OK);
      return program;
    } catch {
      // the next one
    }
  }
  throw new Error("there is no chromium on PATH: run tools/deps, or name one in TIDEMARK_CHROMIUM");
}

export function launch() {
  // Chromium's sandbox needs a user that isn't root, and namespaces that containers often forbid; what runs here is our own page.
  return chromium.launch({ executablePath: findChromium(), args: ["--no-sandbox", "--disable-dev-shm-usage"], headless: true });
}

// A page of its own profile. `problems` collects script errors, console errors, violations of the CSP, and requests that
// leave the origin; a test that breaks the connection on purpose says with `expected` which errors that makes.
export async function openPage(browser, url, { route = "overview", dark = false, phone = false, expected = [], reducedMotion = "reduce", init } = {}) {
  const context = await browser.newContext({
    viewport: phone ? PHONE : DESKTOP, deviceScaleFactor: phone ? 2 : 1, colorScheme: dark ? "dark" : "light", hasTouch: phone, isMobile: phone, reducedMotion,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(STEP_MS_MAX);
  const problems = [];
  const origin = new URL(url).origin;
  const note = (text) => {
    if (!expected.some((pattern) => pattern.test(text))) problems.push(text);
  };
  page.on("pageerror", (error) => note(`script: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error") note(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    const target = request.url();
    if (!/^(data|blob):/.test(target) && new URL(target).origin !== origin) note(`left the origin: ${target}`);
  });
  page.on("websocket", (socket) => {
    if (new URL(socket.url()).host !== new URL(url).host) note(`left the origin: ${socket.url()}`);
  });
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`));
  });
  if (init) await page.addInitScript(init);
  await page.goto(`${url}/#/${route}`);
  return { page, context, problems };
}

// Waits until the page shows the text (a string, or a pattern).
export function waitForText(page, text, { within = page.locator("#page"), timeout = STEP_MS_MAX } = {}) {
  return within.getByText(text).filter({ visible: true }).first().waitFor({ state: "visible", timeout });
}

export async function eventually(ask, what, ms = STEP_MS_MAX) {
  const end = performance.now() + ms;
  let last;
  while (performance.now() < end) {
    last = await ask();
    if (last) return last;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`not within ${ms} ms: ${what}`);
}

// One of the four under the header: "Socket", "Feed", "Stats", "Pipelines".
export function proofItem(page, name) {
  return page.locator(".proof-item", { has: page.locator(".proof-name", { hasText: new RegExp(`^${name}`) }) });
}

export async function showView(page, name) {
  await page.getByRole("navigation", { name: "Views" }).getByRole("link", { name: new RegExp(`^${name}`) }).click();
  await page.getByRole("heading", { level: 1, name }).waitFor();
}

export function artifacts() {
  const root = process.env.TIDEMARK_ARTIFACTS ?? path.join(SOURCE_DIR, "build/artifacts");
  const folder = path.join(root, "page");
  mkdirSync(folder, { recursive: true });
  return folder;
}

export async function screenshot(page, name) {
  await page.screenshot({ path: path.join(artifacts(), `${name}.png`) });
}
