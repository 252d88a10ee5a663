// The page under load. What it must reach is measured in bench/; here it must stay usable on a busy machine.
import assert from "node:assert/strict";
import { suite } from "./fixture.mjs";
import { latencyProbe, measureFrames, steadily, takeLatencies } from "./frames.mjs";
import { quakes } from "./samples.mjs";
import { waitForText } from "./support.mjs";

suite("the page under load", (onPage) => {
  onPage("shows 1,000 events a second, all of them, and draws on", { page: { route: "feed", init: latencyProbe } }, async ({ server, page }) => {
    await waitForText(page, "No event came yet.");
    const lot = quakes(200);
    const frames = await measureFrames(page, () => steadily(1000, 3, (n) => server.insert(...Array.from({ length: n }, (_, i) => lot[i % lot.length]))));
    await waitForText(page, /3.000 events received/);
    await waitForText(page, /agrees with stats/);
    const delays = (await takeLatencies(page)).map(([, sent_ms, at_ms]) => at_ms - sent_ms).sort((a, b) => a - b);
    console.log(`# frames: ${frames.frames}, p99 ${frames.p99_ms.toFixed(1)} ms, longest ${frames.max_ms.toFixed(1)} ms, ${frames.over50} over 50 ms, long tasks [${frames.longtasks}]; feed p99 ${delays[Math.floor(delays.length * 0.99)]} ms`);
    assert.equal(delays.length, 3000);
    assert.ok(frames.frames > 5, `${frames.frames} frames in 3 s`);
  });
});
