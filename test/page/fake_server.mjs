// A server that speaks the page's contract and whose every part a test can break: the feed's cursor, the stats, the socket.
// It serves the page itself, bundled from web/, under the same Content-Security-Policy as the program.
import http from "node:http";
import { WebSocketServer } from "ws";
import { bundle } from "../../web/build.mjs";
import { demoFaults, event, guard, letter, pipeline } from "./samples.mjs";

const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const RING_MAX = 10_000;
const FIRST_EVENTS = 200;
const RESUME_WAIT_MS = 200;
const BODY_MAX = 64 * 1024;

let page;

export class FakeServer {
  #http;
  #sockets = new Map(); // ws -> the seq that was sent last
  #timers = [];
  #clients;

  constructor({ token = null, demo = false, stats_interval_s = 1, feed = "observe", status_ms = 1000 } = {}) {
    Object.assign(this, { token, demo, feed, stats_interval_s, status_ms });
    this.instance = "a1b2c3d4e5f60718";
    this.pipelines = [pipeline("ingest"), pipeline("process"), pipeline("observe")];
    this.guard = guard({ configured: false });
    this.timeline = [];
    this.letters = [];
    this.faults = demoFaults;
    this.inflicted = [];
    this.requests = []; // {method, url, headers, body} of the API
    this.resumes = [];
    this.ring = []; // {seq, ...feed event}
    this.seq = 0;
    this.total = 1000;
    this.increment = 0;
    this.stored = []; // events that the feed hasn't seen
    this.feedAlive = true;
    this.statsAlive = true;
    this.statsConfigured = true;
    this.silent = false;
    this.refusing = false;
    this.letterError = null;
    this.by_severity = { minor: 640, light: 240, moderate: 90, strong: 26, major: 4 };
    this.queue_depth = 12;
  }

  async start() {
    page ??= await bundle();
    this.#clients = new WebSocketServer({ noServer: true, handleProtocols: (offered) => (offered.has("tidemark.v1") ? "tidemark.v1" : false) });
    this.#http = http.createServer((request, response) => void this.#answer(request, response));
    this.#http.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
    await new Promise((resolve) => this.#http.listen(this.port ?? 0, "127.0.0.1", resolve));
    this.port = this.#http.address().port;
    this.url = `http://127.0.0.1:${this.port}`;
    this.#timers = [setInterval(() => this.sendStatus(), this.status_ms), setInterval(() => this.sendStats(), this.stats_interval_s * 1000)];
    return this;
  }

  async stop() {
    this.#timers.forEach(clearInterval);
    this.dropSockets();
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }

  // --- what tests order --------------------------------------------------------------------------------------------
  // Stores events; the feed brings them, unless its cursor is dead.
  insert(...events) {
    for (const one of events) {
      this.total += 1;
      this.increment += 1;
      const made = { ...event(one), cluster_time: [Math.floor(Date.now() / 1000), this.increment] };
      const severity = made.doc?.severity;
      if (severity) this.by_severity[severity] = (this.by_severity[severity] ?? 0) + 1;
      this.stored.push(made);
    }
    if (this.feedAlive) this.heal();
  }

  killCursor() {
    this.feedAlive = false;
  }

  // The cursor reopens: the last `again` events come a second time, then what was missed.
  heal(again = 0) {
    this.feedAlive = true;
    const replayed = again > 0 ? this.ring.slice(-again).map(({ seq: _, ...rest }) => rest) : [];
    this.#push([...replayed, ...this.stored]);
    this.stored = [];
  }

  // Events that left the ring before this page could be sent them.
  gap(missed) {
    const after = this.seq;
    this.total += missed;
    this.increment += missed;
    this.seq += missed;
    this.#broadcast({ type: "gap", feed: this.feed, after, missed });
  }

  happen(kind, text, { pipeline: name = "observe", replayed = 0, at_ms = Date.now() } = {}) {
    const entry = { seq: this.timeline.length + 1, at_ms, pipeline: name, kind, text, replayed };
    this.timeline.push(entry);
    this.#broadcast({ type: "timeline", entries: [entry] });
  }

  refuse(...letters) {
    this.letters.push(...letters.map(letter));
    this.pipelines[1].dead_letters = this.letters.length;
    this.sendStatus();
  }

  change(name, values) {
    Object.assign(this.pipelines.find((one) => one.name === name), values);
    this.sendStatus();
  }

  alert(...alerts) {
    this.guard.alerts = alerts;
    this.sendStatus();
  }

  audit(...audits) {
    this.guard.audits = audits;
    this.sendStatus();
  }

  dropSockets() {
    for (const socket of this.#sockets.keys()) socket.terminate();
  }

  // As after `kill -9` and a new start.
  restart() {
    this.instance = `${this.instance.slice(0, -2)}${Math.floor(Math.random() * 90 + 10)}`;
    this.ring = [];
    this.seq = 0;
    this.timeline = [];
    this.dropSockets();
  }

  get clients() {
    return this.#sockets.size;
  }

  sendStatus() {
    this.#broadcast(this.status());
  }

  status() {
    return { type: "status", now_ms: Date.now(), pipelines: this.pipelines, guard: this.guard };
  }

  sendStats() {
    if (this.statsAlive) this.#broadcast({ type: "stats", ...this.stats() });
  }

  stats() {
    return {
      configured: this.statsConfigured, at_ms: Date.now(), error: "", age_s: 0, total: this.total, by_severity: Object.entries(this.by_severity),
      by_category: [["earthquake", this.total - 20], ["quarry blast", 14], ["explosion", 6]], per_s: 41.5,
      cluster_time: [Math.floor(Date.now() / 1000), this.increment], queue_depth: this.queue_depth, queue: "events", interval_s: this.stats_interval_s,
    };
  }

  // --- the socket --------------------------------------------------------------------------------------------------
  #upgrade(request, socket, head) {
    const offered = (request.headers["sec-websocket-protocol"] ?? "").split(/,\s*/);
    const bearer = offered.find((name) => name.startsWith("bearer."));
    const given = bearer ? Buffer.from(bearer.slice(7), "base64url").toString() : null;
    const refuse = (status) => socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    if (this.refusing) return refuse("503 Service Unavailable");
    if (this.token !== null && given !== this.token) return refuse("401 Unauthorized");
    if (request.headers.origin !== this.url) return refuse("403 Forbidden");
    this.#clients.handleUpgrade(request, socket, head, (client) => this.#welcome(client));
  }

  #welcome(client) {
    const oldest = this.ring[0]?.seq ?? 0;
    client.send(JSON.stringify({
      type: "hello", protocol: 1, version: "0.1.0", instance: this.instance, now_ms: Date.now(), demo: this.demo,
      stats_interval_s: this.stats_interval_s, feeds: this.feed === null ? [] : [{ name: this.feed, oldest, newest: this.seq }],
    }));
    let begun = false;
    const begin = (after) => {
      if (begun || client.readyState !== client.OPEN) return;
      begun = true;
      if (after > 0 && oldest > after + 1) {
        client.send(JSON.stringify({ type: "gap", feed: this.feed, after, missed: oldest - after - 1 }));
      }
      const items = after === null ? this.ring.slice(-FIRST_EVENTS) : this.ring.filter((item) => item.seq > after);
      if (items.length > 0) client.send(JSON.stringify({ type: "events", feed: this.feed, items }));
      this.#sockets.set(client, this.seq);
      client.send(JSON.stringify(this.status()));
      client.send(JSON.stringify({ type: "timeline", entries: this.timeline.slice(-200) }));
      client.send(JSON.stringify({ type: "stats", ...this.stats() }));
    };
    client.on("message", (data) => {
      const message = JSON.parse(String(data));
      this.resumes.push(message);
      begin(message.instance === this.instance ? message.after : null);
    });
    client.on("close", () => this.#sockets.delete(client));
    client.on("error", () => client.terminate());
    setTimeout(() => begin(null), RESUME_WAIT_MS);
  }

  #push(events) {
    const items = events.map((one) => ({ seq: ++this.seq, ...one, sent_ms: Date.now() }));
    if (items.length === 0) return;
    this.ring.push(...items);
    if (this.ring.length > RING_MAX) this.ring.splice(0, this.ring.length - RING_MAX);
    this.#broadcast({ type: "events", feed: this.feed, items });
  }

  #broadcast(frame) {
    if (this.silent) return;
    const text = JSON.stringify(frame);
    for (const client of this.#sockets.keys()) client.send(text);
  }

  // --- HTTP --------------------------------------------------------------------------------------------------------
  async #answer(request, response) {
    const url = new URL(request.url, this.url);
    const file = page.find((one) => one.path === url.pathname);
    if (file && request.method === "GET") {
      response.writeHead(200, {
        "Content-Type": file.type, "ETag": file.etag, "Content-Security-Policy": CSP, "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache",
      });
      return response.end(file.bytes);
    }
    let body = "";
    for await (const chunk of request) {
      body += chunk;
      if (body.length > BODY_MAX) return this.#problem(response, 413, "Content Too Large");
    }
    this.requests.push({ method: request.method, url: request.url, headers: request.headers, body });
    if (!url.pathname.startsWith("/api/")) return this.#problem(response, 404, "Not Found");
    if (this.token !== null && request.headers.authorization !== `Bearer ${this.token}`) return this.#problem(response, 401, "Unauthorized");
    if (request.method === "POST" && (request.headers["x-tidemark-request"] !== "1" || request.headers["content-type"] !== "application/json")) {
      return this.#problem(response, 403, "Forbidden", "a changing request needs the header X-Tidemark-Request: 1");
    }
    return this.#api(request.method, url, body, response);
  }

  #api(method, url, body, response) {
    const json = (value) => {
      response.writeHead(200, { "Content-Type": "application/json" });
      response.end(JSON.stringify(value));
    };
    switch (`${method} ${url.pathname}`) {
      case "GET /api/pipelines":
        return json({ now_ms: Date.now(), version: "0.1.0", instance: this.instance, demo: this.demo, pipelines: this.pipelines, stats: this.stats(), guard: this.guard });
      case "GET /api/guard": return json(this.guard);
      case "GET /api/demo/faults": return json({ faults: this.demo ? this.faults : [] });
      case "POST /api/demo/inflict": {
        const { fault } = JSON.parse(body);
        if (fault === "refused") return this.#problem(response, 503, "Service Unavailable", "the sandbox has no secondary left");
        this.inflicted.push(fault);
        return json({ done: true });
      }
      case "GET /api/dlq": {
        const limit = Number(url.searchParams.get("limit") ?? 50);
        const after = url.searchParams.get("after");
        const from = after === null ? 0 : this.letters.findIndex(({ id }) => id === after) + 1;
        const letters = this.letters.slice(from, from + limit);
        return json({ letters, next: from + limit < this.letters.length ? letters.at(-1).id : null });
      }
      case "POST /api/dlq/retry":
      case "POST /api/dlq/discard": {
        if (this.letterError !== null) return this.#problem(response, 503, "Service Unavailable", this.letterError);
        const { id } = JSON.parse(body);
        const at = this.letters.findIndex((one) => one.id === id);
        if (at < 0) return this.#problem(response, 404, "Not Found", "this letter isn't there any more");
        this.letters.splice(at, 1);
        this.pipelines[1].dead_letters = this.letters.length;
        return json({ done: true });
      }
      default: return this.#problem(response, 404, "Not Found");
    }
  }

  #problem(response, status, title, detail = title) {
    response.writeHead(status, { "Content-Type": "application/problem+json" });
    response.end(JSON.stringify({ type: "about:blank", title, status, detail }));
  }
}
