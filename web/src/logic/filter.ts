// The feed's filter: which rows it lets through.
import { searchText, type EventRow, type Row } from "./event_log";

export interface Filter {
  words: string[]; // all of them, in lower case
  severities: string[]; // any of them; none = all
}

export const kNoFilter: Filter = { words: [], severities: [] };

export function parseFilter(text: string, severities: string[]): Filter {
  return { words: text.toLowerCase().split(/\s+/).filter((word) => word !== ""), severities };
}

function textOf(row: EventRow): string {
  row.text ??= searchText(row).toLowerCase();
  return row.text;
}

// Gaps always pass: a filter that hid what is missing would make the list look complete.
export function passes(row: Row, filter: Filter): boolean {
  if (row.kind !== "event") return true;
  if (filter.severities.length > 0 && !filter.severities.includes(row.summary.severity)) return false;
  return filter.words.length === 0 || filter.words.every((word) => textOf(row).includes(word));
}
