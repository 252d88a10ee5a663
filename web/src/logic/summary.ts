// One line about an event, from whatever document it carries: a classified CloudEvent ({raw, severity, category, ...})
// or any other.
import type { FeedItem } from "../protocol";
import { memberText } from "./json_text";

export interface Summary {
  severity: string; // "" when the document has none
  category: string;
  title: string;
  fields: [string, string][]; // a few scalars worth showing
}

const kFieldsMax = 4;
const kTextMax = 80;
const kHidden = new Set(["_id", "raw", "severity", "category", "tags", "receivedAt", "processedAt", "specversion"]);

type Doc = Record<string, unknown>;

const isDoc = (value: unknown): value is Doc => typeof value === "object" && value !== null && !Array.isArray(value);

function scalar(value: unknown): string | null {
  if (typeof value === "string") return value.length > kTextMax ? `${value.slice(0, kTextMax)}…` : value;
  if (typeof value === "number") return number(value);
  if (typeof value === "boolean") return String(value);
  if (!isDoc(value)) return null;
  // Extended JSON: {"$date": "..."}, {"$oid": "..."}, {"$numberLong": "..."}.
  const keys = Object.keys(value);
  const [name] = keys;
  if (keys.length !== 1 || name === undefined) return null;
  return kWords[name] ?? (kPlain.has(name) ? scalar(value[name]) : null);
}

const kWords: Record<string, string> = { $minKey: "MinKey", $maxKey: "MaxKey", $undefined: "undefined" };
const kPlain = new Set(["$date", "$oid", "$numberInt", "$numberLong", "$numberDouble", "$numberDecimal", "$uuid", "$symbol", "$code"]);

// A fraction is cut to what a row has room for, and a cut one says so.
function number(value: number): string {
  if (Object.is(value, -0)) return "-0";
  const rounded = Math.round(value * 1000) / 1000;
  if (rounded === value || Number.isInteger(value)) return String(value);
  return `≈ ${rounded !== 0 && Math.abs(value) < 1e15 ? String(rounded) : value.toPrecision(4)}`;
}

const word = (value: unknown): string => (typeof value === "string" ? value : "");

// Addresses and milliseconds since 1970 are for the event in full, and what the title says needs no second time.
function worthShowing(text: string, title: string): boolean {
  return text !== "" && !/^https?:/.test(text) && !/^1\d{12}$/.test(text) && !(text.length >= 3 && title.includes(text));
}

// Digits that JSON.parse has rounded already are taken from the text.
const isRounded = (value: unknown): boolean => typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value);

function scalarsOf(doc: Doc, text: () => string | undefined, title: string, skip: (name: string) => boolean): [string, string][] {
  const fields: [string, string][] = [];
  for (const [name, value] of Object.entries(doc)) {
    if (fields.length === kFieldsMax) break;
    const source = isRounded(value) ? text() : undefined;
    const shown = skip(name) ? null : ((source && memberText(source, name)) ?? scalar(value));
    if (shown !== null && worthShowing(shown, title)) fields.push([name, shown]);
  }
  return fields;
}

// `text`: the document as the server wrote it, where that is at hand; asked for only when it is needed.
export function summarize(item: FeedItem, text: () => string | undefined = () => undefined): Summary {
  const doc = item.doc;
  if (doc === null) {
    return { severity: "", category: "", title: item.truncated ? "too large to send; look it up by its key" : item.op, fields: [] };
  }
  const event = isDoc(doc.raw) ? doc.raw : null;
  const severity = word(doc.severity);
  const category = word(doc.category);
  if (event === null) {
    return { severity, category, title: item.ns, fields: scalarsOf(doc, text, "", (name) => kHidden.has(name)) };
  }
  const data = isDoc(event.data) ? event.data : {};
  const dataText = (): string | undefined => {
    const raw = memberText(text() ?? "{}", "raw");
    return raw && memberText(raw, "data");
  };
  const named = ["title", "place", "name", "message", "text"].find((name) => word(data[name]) !== "");
  const title = (named && word(data[named])) || word(event.subject) || word(event.type) || word(event.id);
  return { severity, category, title, fields: scalarsOf(data, dataText, title, () => false) };
}
