// The page by keyboard, by ear, and for those who asked for less motion. (Contrast, landmarks, names: views_test.mjs.)
import assert from "node:assert/strict";
import { suite } from "./fixture.mjs";
import { alert, audit, guard, quakes } from "./samples.mjs";
import { proofItem, showView, waitForText } from "./support.mjs";

const VIEWS = ["Overview", "Proof of life", "Live feed", "Timeline", "Dead letters"];
const STOPS_MAX = 60;

// Of what has the focus: a name, and how its focus shows.
const focused = () => {
  const element = document.activeElement;
  const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(element);
  return { body: element === document.body, name: `${element.tagName}.${element.className} "${element.textContent.trim().slice(0, 30)}"`, shown: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 && outlineColor !== "rgba(0, 0, 0, 0)" };
};

suite("access", (onPage) => {
  onPage("whatever the keyboard reaches shows that it has the focus", { server: { demo: true }, prepare: (server) => {
    server.refuse({ id: "a" }, { id: "b" });
    server.insert(...quakes(5));
    server.guard = guard({ alerts: [alert(), alert({ firing: false, resolved_at_ms: Date.now() })], audits: [audit({ missing: 1, first_ids: ["missing a.b 1"] })] });
  } }, async ({ page }) => {
    await waitForText(page, "Ingestion");
    for (const view of VIEWS) {
      await showView(page, view);
      await page.getByRole("link", { name: "Skip to the content" }).focus();
      const dark = [];
      let stops = 0;
      for (; stops < STOPS_MAX; stops++) {
        await page.keyboard.press("Tab");
        const at = await page.evaluate(focused);
        if (at.body) break;
        if (!at.shown) dark.push(at.name);
      }
      assert.deepEqual(dark, [], view);
      assert.ok(stops > VIEWS.length, `${view} has ${stops} stops`);
    }
  });

  for (const [reducedMotion, moves] of [["reduce", false], ["no-preference", true]]) {
    onPage(`the flow between the planes ${moves ? "moves" : "stands still where less motion is asked for"}`, { page: { reducedMotion } }, async ({ page }) => {
      await page.locator(".flow-steady, .flow-fast, .flow-slow").first().waitFor();
      const running = await page.evaluate(() => document.getAnimations().filter(({ playState }) => playState === "running").length);
      assert.equal(running > 0, moves, `${running} animations run`);
    });
  }

  onPage("a verdict that changes is said, politely and without its figure", {}, async ({ server, page }) => {
    await proofItem(page, "Feed").getByText("agrees with stats").waitFor();
    const voice = page.locator("[aria-live=polite]");
    server.killCursor();
    server.insert(...quakes(3));
    await voice.getByText("Feed is behind the stats").waitFor({ state: "attached" });
    assert.equal(await voice.getByText(/behind by/).count(), 0);
    server.heal();
    await voice.getByText("feed agrees with the stats").waitFor({ state: "attached" });
    assert.equal(await page.locator("[aria-live=assertive]").count(), 0);
  });
});
