// The newest `capacity` values, oldest first. `first` is the running number of the oldest one that is kept.
export class Ring<T> {
  private readonly slots: T[] = [];
  private pushed = 0;

  constructor(readonly capacity: number) {}

  push(value: T): void {
    this.slots[this.pushed % this.capacity] = value;
    this.pushed += 1;
  }

  get length(): number {
    return this.slots.length;
  }

  get first(): number {
    return this.pushed - this.slots.length;
  }

  get end(): number {
    return this.pushed;
  }

  // The value with that running number; undefined when it is gone, or not there yet.
  at(number: number): T | undefined {
    if (number < this.first || number >= this.pushed) return undefined;
    return this.slots[number % this.capacity];
  }

  toArray(): T[] {
    const values: T[] = [];
    for (let n = this.first; n < this.pushed; n++) values.push(this.slots[n % this.capacity] as T);
    return values;
  }
}
