// The ids seen lately, so that a replay shows nothing twice. Two generations of a bounded size: at least `capacity` of the
// newest ids are remembered, at most twice as many are kept.
export class RecentIds {
  private young = new Set<string>();
  private old = new Set<string>();

  constructor(private readonly capacity: number) {}

  // True when the id is new.
  add(id: string): boolean {
    if (this.young.has(id)) return false;
    const known = this.old.has(id);
    this.young.add(id);
    if (this.young.size >= this.capacity) {
      this.old = this.young;
      this.young = new Set();
    }
    return !known;
  }

  get size(): number {
    return this.young.size + this.old.size;
  }
}
