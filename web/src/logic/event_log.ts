// What the live feed shows: the newest rows, each an event, a gap that the server announced, or a restart of the server.
// An event that came before is not shown again, whatever replayed it.
import type { FeedItem } from "../protocol";
import { indented, itemText, memberText } from "./json_text";
import { RecentIds } from "./recent_ids";
import { Ring } from "./ring";
import { summarize, type Summary } from "./summary";

export const kRowsMax = 2000;
// More than the server's ring usually holds, and than a pipeline replays after a fault.
const kIdsMax = 50_000;
const kSeveritiesMax = 24;

export interface EventRow {
  kind: "event";
  number: number; // running, 0, 1, 2 ...
  feed: string;
  item: FeedItem;
  summary: Summary;
  text?: string; // for the text filter, made when it is first asked for
  came: Came | undefined;
}

// Where an event stands in what the server sent: `item` is what JSON.parse made of it, which is not always what it said.
export interface Came {
  frame: string;
  index: number; // in the frame's `items`
}

// The event as it came, as text.
function eventText(came: Came | undefined): string | undefined {
  const items = came && memberText(came.frame, "items");
  return items === undefined || came === undefined ? undefined : itemText(items, came.index);
}

function documentCame(came: Came | undefined): string | undefined {
  const text = eventText(came);
  return text === undefined ? undefined : memberText(text, "doc");
}

// The event's document as the server wrote it, indented.
export function documentText(row: EventRow): string {
  const { item } = row;
  const text = eventText(row.came);
  const part = (name: "doc" | "key"): string => (text === undefined ? undefined : memberText(text, name)) ?? JSON.stringify(item[name]);
  return indented(item.doc !== null ? part("doc") : `{"key":${part("key")},"truncated":${String(item.truncated ?? false)}}`);
}

// What the text filter looks into.
export function searchText(row: EventRow): string {
  return `${row.item.id} ${row.item.ns} ${documentCame(row.came) ?? JSON.stringify(row.item.doc)}`;
}

export interface GapRow {
  kind: "gap";
  number: number;
  feed: string;
  missed: number | null; // null: nobody knows, the server was started anew
}

export type Row = EventRow | GapRow;

export class EventLog {
  readonly rows = new Ring<Row>(kRowsMax);
  shown = 0;
  replayed = 0; // came again, and were left out
  missed = 0;
  readonly severities = new Set<string>(); // the words that came
  private readonly ids = new RecentIds(kIdsMax);

  // False: it came before.
  add(feed: string, item: FeedItem, came?: Came): boolean {
    if (!this.ids.add(`${feed} ${item.id}`)) {
      this.replayed += 1;
      return false;
    }
    this.shown += 1;
    const summary = summarize(item, () => documentCame(came));
    if (summary.severity !== "" && this.severities.size < kSeveritiesMax) this.severities.add(summary.severity);
    this.rows.push({ kind: "event", number: this.rows.end, feed, item, summary, came });
    return true;
  }

  addGap(feed: string, missed: number | null): void {
    this.missed += missed ?? 0;
    this.rows.push({ kind: "gap", number: this.rows.end, feed, missed });
  }
}
