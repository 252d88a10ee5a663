// One Chromium for a test script, a fake server and a page of its own for each test.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { FakeServer } from "./fake_server.mjs";
import { eventually, launch, openPage } from "./support.mjs";

const TEST_MS_MAX = 90_000;

// Defines a suite. `define` gets onPage(name, {server, page}, body): body({server, page}) runs with both, and the page must
// have done nothing that it mustn't: no error, no violation of the CSP, no request elsewhere.
export function suite(name, define) {
  describe(name, () => {
    let browser;
    before(async () => { browser = await launch(); });
    after(() => browser.close());
    const onPage = (title, options, body) => test(title, { timeout: TEST_MS_MAX }, async () => {
      const server = new FakeServer(options.server);
      options.prepare?.(server);
      await server.start();
      let opened;
      try {
        opened = await openPage(browser, server.url, options.page);
        // Connected, so that what the test inserts is sent and not only found in the ring.
        if (server.token === null) await eventually(() => server.clients > 0, "the page's socket");
        await body({ server, ...opened });
        assert.deepEqual(opened.problems, []);
      } finally {
        await opened?.context.close();
        await server.stop();
      }
    });
    define(onPage);
  });
}
