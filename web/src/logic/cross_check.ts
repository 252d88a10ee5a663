// The comparison that trusts nobody: the stats say how many events were stored up to a cluster time, the feed brought so
// many with a cluster time up to it, and what is missing of them is what the feed is behind by. It needs no word of the
// feed's own health, so a dead cursor behind a living socket shows.
//
// The baseline is the first look at the stats that the feed covers: one that was taken after the page connected, or whose
// cluster time isn't before the first event that came. An older look would count events that the page was never sent.
import type { ClusterTime, Stats } from "../protocol";

export type Verdict =
  | { kind: "off" } // no stats to compare with
  | { kind: "waiting" } // for the first look, the baseline
  | { kind: "counting" } // has a baseline, and nothing to compare yet
  | { kind: "agrees" }
  | { kind: "behind"; by: number };

export interface Figures {
  stored: number; // by the stats, since the baseline
  received: number; // by the feed, of those
  missed: number; // announced as gaps since the baseline
}

// Events may still be on their way when the stats arrive: so long they are given before the feed is called behind.
export const kGrace_ms = 1000;
const kPendingMax = 500_000;
export const kHistoryMax = 48;

interface Look {
  total: number;
  at: ClusterTime;
  asked_ms: number; // on the server's clock: tells a new look from one that is told again
}

function compare(a: ClusterTime, b: ClusterTime): number {
  return a[0] !== b[0] ? a[0] - b[0] : a[1] - b[1];
}

export class CrossCheck {
  verdict: Verdict = { kind: "waiting" };
  figures: Figures = { stored: 0, received: 0, missed: 0 };
  history: number[] = []; // how far behind at each comparison, oldest first
  agreedAt_ms: number | null = null; // on the page's own clock
  deadline_ms: number | null = null; // when tick() must be called next
  private base: Look | null = null;
  private judged: Look | null = null; // the look that the figures are of
  private waiting: Look | null = null; // came while another one had its grace
  private counted = 0; // events after the baseline, up to `judged`
  private missed = 0;
  private pending: ClusterTime[] = []; // of events after `judged`
  private firstEvent: ClusterTime | null = null;
  private connectedAt_ms = 0; // on the server's clock

  // A new server, or the first one: nothing that was counted before holds.
  start(connectedAt_ms: number): void {
    this.connectedAt_ms = connectedAt_ms;
    this.firstEvent = null;
    this.agreedAt_ms = null;
    this.history = [];
    this.forget();
    this.verdict = { kind: "waiting" };
  }

  private forget(): void {
    this.base = null;
    this.judged = null;
    this.waiting = null;
    this.deadline_ms = null;
    this.counted = 0;
    this.missed = 0;
    this.pending = [];
    this.figures = { stored: 0, received: 0, missed: 0 };
  }

  onEvent(op: string, at: ClusterTime, now_ms: number): void {
    this.firstEvent ??= at;
    if (op !== "insert" || (this.base && compare(at, this.base.at) <= 0)) return;
    if (this.judged && compare(at, this.judged.at) <= 0) {
      this.counted += 1;
      if (this.verdict.kind === "behind" || this.deadline_ms !== null) this.catchUp(now_ms);
    } else if (this.pending.length < kPendingMax) {
      this.pending.push(at);
    } else {
      // The stats have been silent for so long that the comparison has to start anew.
      this.forget();
      this.verdict = { kind: "waiting" };
    }
  }

  onGap(missed: number, now_ms: number): void {
    if (!this.base) return;
    this.missed += missed;
    if (this.verdict.kind === "behind" || this.deadline_ms !== null) this.catchUp(now_ms);
  }

  onStats(stats: Stats, now_ms: number): void {
    if (!stats.configured) {
      this.verdict = { kind: "off" };
      return;
    }
    const at = stats.cluster_time;
    if (stats.total === null || stats.error !== "" || (at[0] === 0 && at[1] === 0)) return;
    const look = { total: stats.total, at, asked_ms: stats.at_ms };
    if (!this.base) {
      const covered = stats.at_ms >= this.connectedAt_ms || (this.firstEvent !== null && compare(at, this.firstEvent) >= 0);
      if (covered) this.rebase(look);
      return;
    }
    if (this.deadline_ms !== null) {
      this.waiting = look;
      return;
    }
    if (this.isNews(look)) this.take(look, now_ms);
  }

  // The end of a grace period, if it has come.
  tick(now_ms: number): void {
    if (this.deadline_ms === null || now_ms < this.deadline_ms) return;
    this.deadline_ms = null;
    this.settle(this.behind(), now_ms);
    this.takeWaiting(now_ms);
  }

  private rebase(look: Look): void {
    const later = this.pending.filter((at) => compare(at, look.at) > 0);
    this.forget();
    this.base = look;
    this.judged = look;
    this.pending = later;
    this.verdict = { kind: "counting" };
  }

  private take(look: Look, now_ms: number): void {
    const before = this.pending.length;
    this.pending = this.pending.filter((at) => compare(at, look.at) > 0);
    this.counted += before - this.pending.length;
    this.judged = look;
    const behind = this.behind();
    if (behind < 0) {
      // More came than was stored: documents were deleted, or the count was taken elsewhere. Start anew from here.
      this.rebase(look);
      this.agree(now_ms);
    } else if (behind === 0) {
      this.settle(0, now_ms);
    } else {
      this.deadline_ms = now_ms + kGrace_ms;
    }
  }

  private takeWaiting(now_ms: number): void {
    const look = this.waiting;
    this.waiting = null;
    if (look && this.isNews(look)) this.take(look, now_ms);
  }

  // Where nothing happens the cluster time stands still: a later look at the same time is a comparison too.
  private isNews(look: Look): boolean {
    const order = this.judged ? compare(look.at, this.judged.at) : 1;
    return order > 0 || (order === 0 && look.asked_ms > (this.judged?.asked_ms ?? 0));
  }

  // Something came that was missing at the look that is judged.
  private catchUp(now_ms: number): void {
    const behind = this.behind();
    if (behind <= 0) {
      this.deadline_ms = null;
      this.settle(0, now_ms);
      this.takeWaiting(now_ms);
    } else if (this.deadline_ms === null) {
      this.verdict = { kind: "behind", by: behind };
    }
  }

  private behind(): number {
    if (!this.base || !this.judged) return 0;
    this.figures = { stored: this.judged.total - this.base.total, received: this.counted, missed: this.missed };
    return this.figures.stored - this.counted - this.missed;
  }

  private settle(behind: number, now_ms: number): void {
    if (behind > 0) {
      this.verdict = { kind: "behind", by: behind };
      this.record(behind);
    } else {
      this.agree(now_ms);
    }
  }

  private agree(now_ms: number): void {
    this.verdict = { kind: "agrees" };
    this.agreedAt_ms = now_ms;
    this.record(0);
  }

  private record(behind: number): void {
    this.history.push(behind);
    if (this.history.length > kHistoryMax) this.history.shift();
  }
}
