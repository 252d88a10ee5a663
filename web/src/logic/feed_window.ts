// The rows that the feed's list shows, newest first: those of the ring that pass the filter, or, while it is paused, those
// that were there when it was. Kept up to date at the cost of the new rows alone.
import type { Row } from "./event_log";
import { kNoFilter, passes, type Filter } from "./filter";
import type { Ring } from "./ring";

const kCutAt = 500; // rows that have left the ring are cut off so many at a time

export class FeedWindow {
  private filter: Filter = kNoFilter;
  private live: Row[] = []; // oldest first; the first `gone` of them have left the ring
  private gone = 0;
  private seen = 0; // rows of the ring below this number have been looked at
  private newer = 0; // passed the filter since the pause
  private held: { all: Row[]; end: number } | null = null;
  private heldPassing: Row[] = []; // newest first

  constructor(private readonly ring: Ring<Row>) {}

  get paused(): boolean {
    return this.held !== null;
  }

  // What came since the pause, and would be shown.
  get waiting(): number {
    return this.held ? this.newer : 0;
  }

  get length(): number {
    return this.held ? this.heldPassing.length : this.live.length - this.gone;
  }

  // 0 = the newest.
  at(index: number): Row | undefined {
    if (this.held) return this.heldPassing[index];
    return index < this.length ? this.live[this.live.length - 1 - index] : undefined;
  }

  indexOf(number: number): number {
    for (let i = 0; i < this.length; i++) if (this.at(i)?.number === number) return i;
    return -1;
  }

  setFilter(filter: Filter): void {
    this.filter = filter;
    this.live = [];
    this.gone = 0;
    this.seen = 0;
    this.newer = 0;
    this.select();
    this.update();
  }

  pause(): void {
    if (this.held) return;
    this.update();
    this.held = { all: this.ring.toArray(), end: this.ring.end };
    this.newer = 0;
    this.select();
  }

  resume(): void {
    this.held = null;
    this.heldPassing = [];
    this.newer = 0;
  }

  update(): void {
    for (let n = Math.max(this.seen, this.ring.first); n < this.ring.end; n++) {
      const row = this.ring.at(n);
      if (!row || !passes(row, this.filter)) continue;
      this.live.push(row);
      if (this.held && n >= this.held.end) this.newer += 1;
    }
    this.seen = this.ring.end;
    while (this.gone < this.live.length && (this.live[this.gone]?.number ?? 0) < this.ring.first) this.gone += 1;
    if (this.gone > kCutAt) {
      this.live = this.live.slice(this.gone);
      this.gone = 0;
    }
  }

  private select(): void {
    this.heldPassing = this.held ? this.held.all.filter((row) => passes(row, this.filter)).reverse() : [];
  }
}
