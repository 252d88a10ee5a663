// How smooth the page is while it shows a load, and how late what it shows is. Used by the tests and by bench/.

// Runs `load` and measures, from inside the page, the time between two drawn frames. Returns milliseconds.
export async function measureFrames(page, load) {
  await page.evaluate(() => {
    const frames = { gaps: [], long: [], last: performance.now(), on: true };
    globalThis.__frames = frames;
    new PerformanceObserver((list) => {
      if (frames.on) for (const entry of list.getEntries()) frames.long.push(entry.duration);
    }).observe({ entryTypes: ["longtask"] });
    const step = (now) => {
      if (!frames.on) return;
      frames.gaps.push(now - frames.last);
      frames.last = now;
      requestAnimationFrame(step);
    };
    requestAnimationFrame((now) => {
      frames.last = now;
      requestAnimationFrame(step);
    });
  });
  await load();
  const { gaps, long } = await page.evaluate(() => {
    globalThis.__frames.on = false;
    return { gaps: globalThis.__frames.gaps, long: globalThis.__frames.long };
  });
  const sorted = [...gaps].sort((a, b) => a - b);
  const at = (q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
  return { frames: gaps.length, p50_ms: at(0.5), p99_ms: at(0.99), max_ms: sorted.at(-1) ?? 0, over50: gaps.filter((gap) => gap > 50).length, longtasks: long };
}

// An init script (openPage's `init`): notes for each event of the feed how long after `from` it was in the page's hands.
// `from` is a field of the feed's event: "time_ms" (stored) or "sent_ms" (rendered by the server). Same machine, same clock.
export function latencyProbe() {
  const Original = globalThis.WebSocket;
  globalThis.__latencies = [];
  globalThis.WebSocket = class extends Original {
    constructor(...args) {
      super(...args);
      this.addEventListener("message", ({ data }) => {
        const frame = JSON.parse(data);
        if (frame.type !== "events") return;
        const now = Date.now();
        for (const item of frame.items) if (globalThis.__latencies.length < 1_000_000) globalThis.__latencies.push([item.time_ms, item.sent_ms, now]);
      });
    }
  };
}

// What latencyProbe noted since the last call: [time_ms, sent_ms, received_ms] of each event.
export function takeLatencies(page) {
  return page.evaluate(() => globalThis.__latencies.splice(0));
}

// Calls `send(n)` so often that `per_s` things are sent each second for so many seconds.
export async function steadily(per_s, seconds, send) {
  const start = performance.now();
  let sent = 0;
  while (sent < per_s * seconds) {
    const due = Math.min(per_s * seconds, Math.floor(((performance.now() - start) / 1000) * per_s));
    if (due > sent) send(due - sent);
    sent = Math.max(sent, due);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
