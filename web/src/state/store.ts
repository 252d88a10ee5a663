// Everything the page knows, taken from the frames as they come. Knows no DOM: the clock and the way to wait for the next
// frame of the screen are handed in. Views subscribe to topics; many changes between two frames are one notice.
import { CrossCheck } from "../logic/cross_check";
import { EventLog } from "../logic/event_log";
import { inOrder, type LinkView } from "../logic/proof";
import type { Frame, Guard, Hello, Pipeline, Stats, TimelineEntry } from "../protocol";
import { kSilent_s } from "../protocol";

export type Topic = "link" | "status" | "stats" | "feed" | "check" | "timeline" | "hello";

const kTimelineMax = 500;

export interface StoreEnv {
  now_ms(): number; // never goes back
  schedule(callback: () => void): void; // before the next frame is drawn
  after(ms: number, callback: () => void): void;
}

export class Store {
  hello: Hello | null = null;
  pipelines: Pipeline[] = [];
  status_ms: number | null = null; // when the pipelines were last heard of, on env's clock
  guard: Guard | null = null; // as of status_ms
  private statusNow_ms = 0; // the same moment, on the server's clock
  stats: Stats | null = null;
  stats_ms: number | null = null;
  readonly log = new EventLog();
  readonly check = new CrossCheck();
  timeline: TimelineEntry[] = []; // oldest first
  event_ms = new Map<string, number>(); // when each feed last brought an event
  lastSeq = new Map<string, number>();
  unknownFrames = 0;
  link: { phase: LinkView["phase"]; attempt: number; retryAt_ms: number | null; frame_ms: number | null; why: string } = {
    phase: "connecting", attempt: 0, retryAt_ms: null, frame_ms: null, why: "",
  };
  private readonly listeners = new Map<Topic, Set<() => void>>();
  private readonly dirty = new Set<Topic>();
  private scheduled = false;

  constructor(readonly env: StoreEnv) {}

  subscribe(topic: Topic, listener: () => void): () => void {
    let of = this.listeners.get(topic);
    if (!of) this.listeners.set(topic, (of = new Set()));
    of.add(listener);
    return () => of.delete(listener);
  }

  changed(topic: Topic): void {
    this.dirty.add(topic);
    if (this.scheduled) return;
    this.scheduled = true;
    this.env.schedule(() => {
      this.scheduled = false;
      const topics = [...this.dirty];
      this.dirty.clear();
      const called = new Set<() => void>();
      for (const topic_ of topics) for (const listener of this.listeners.get(topic_) ?? []) called.add(listener);
      for (const listener of called) listener();
    });
  }

  // The feed that is compared with the stats: the first of the server's.
  get comparedFeed(): string | null {
    return this.hello?.feeds[0]?.name ?? null;
  }

  get heard(): boolean {
    return this.link.phase === "open" && !this.silent;
  }

  get silent(): boolean {
    return this.link.phase === "open" && this.link.frame_ms !== null && this.env.now_ms() - this.link.frame_ms > kSilent_s * 1000;
  }

  since_s(ms: number | null | undefined): number | null {
    return ms === null || ms === undefined ? null : Math.max(0, (this.env.now_ms() - ms) / 1000);
  }

  // The server's own clock, as far as its last status tells.
  serverNow_ms(): number {
    return this.statusNow_ms + (this.since_s(this.status_ms) ?? 0) * 1000;
  }

  linkView(): LinkView {
    const { phase, attempt, retryAt_ms, frame_ms, why } = this.link;
    return {
      phase, attempt, why, silent: this.silent, frameAge_s: this.since_s(frame_ms),
      retryIn_s: retryAt_ms === null ? null : Math.max(0, (retryAt_ms - this.env.now_ms()) / 1000),
    };
  }

  setLink(change: Partial<Store["link"]>): void {
    Object.assign(this.link, change);
    this.changed("link");
  }

  // The server's first frame. Returns what to resume: nothing with a server that never sent anything, or was started anew.
  takeHello(hello: Hello): { feed: string; after: number }[] {
    const before = this.hello;
    this.hello = hello;
    this.changed("hello");
    if (before && before.instance === hello.instance) {
      return hello.feeds.flatMap(({ name }) => {
        const after = this.lastSeq.get(name);
        return after === undefined ? [] : [{ feed: name, after }];
      });
    }
    if (before) {
      // What came between the two servers is on neither's word.
      for (const { name } of before.feeds) this.log.addGap(name, null);
      this.timeline = [];
      this.changed("feed");
      this.changed("timeline");
    }
    this.lastSeq.clear();
    this.check.start(hello.now_ms);
    this.changed("check");
    return [];
  }

  // `text` is the frame as it came: what JSON.parse can't hold is shown from there.
  apply(frame: Frame, text?: string): void {
    switch (frame.type) {
      case "events": return this.takeEvents(frame, text);
      case "gap":
        this.log.addGap(frame.feed, frame.missed);
        if (frame.feed === this.comparedFeed) this.judge(() => this.check.onGap(frame.missed, this.env.now_ms()));
        this.lastSeq.set(frame.feed, Math.max(this.lastSeq.get(frame.feed) ?? 0, frame.after + frame.missed));
        return this.changed("feed");
      case "status":
        this.pipelines = inOrder(frame.pipelines);
        this.guard = frame.guard ?? null;
        this.status_ms = this.env.now_ms();
        this.statusNow_ms = frame.now_ms;
        return this.changed("status");
      case "stats":
        this.stats = frame;
        this.stats_ms = this.env.now_ms();
        this.judge(() => this.check.onStats(frame, this.env.now_ms()));
        return this.changed("stats");
      case "timeline": return this.takeTimeline(frame.entries);
      case "hello": return; // takeHello's
      default:
        this.unknownFrames += 1;
    }
  }

  private takeEvents(frame: Extract<Frame, { type: "events" }>, text?: string): void {
    const now = this.env.now_ms();
    const compared = frame.feed === this.comparedFeed;
    const before = JSON.stringify(this.check.verdict);
    for (const [index, item] of frame.items.entries()) {
      this.lastSeq.set(frame.feed, Math.max(this.lastSeq.get(frame.feed) ?? 0, item.seq));
      if (this.log.add(frame.feed, item, text === undefined ? undefined : { frame: text, index }) && compared) this.check.onEvent(item.op, item.cluster_time, now);
    }
    if (frame.items.length > 0) this.event_ms.set(frame.feed, now);
    if (JSON.stringify(this.check.verdict) !== before) this.changed("check");
    this.changed("feed");
  }

  private takeTimeline(entries: TimelineEntry[]): void {
    const newest = this.timeline[this.timeline.length - 1]?.seq ?? 0;
    const fresh = entries.filter((entry) => entry.seq > newest);
    if (fresh.length === 0) return;
    this.timeline = [...this.timeline, ...fresh].slice(-kTimelineMax);
    this.changed("timeline");
  }

  // A step of the cross-check, and the call at the end of the grace that it may have asked for.
  private judge(step: () => void): void {
    const before = this.check.deadline_ms;
    step();
    const deadline = this.check.deadline_ms;
    if (deadline !== null && deadline !== before) {
      this.env.after(Math.max(0, deadline - this.env.now_ms()) + 1, () => this.judge(() => this.check.tick(this.env.now_ms())));
    }
    this.changed("check");
  }
}
