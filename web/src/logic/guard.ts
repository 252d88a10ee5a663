// What the guard says, in words and moods. The guard asks both ends of a pipeline itself; nothing here draws on what a
// pipeline says of its own health. No DOM, no clock.
import type { Alert, Audit, Guard } from "../protocol";
import type { Mood, Proof } from "./proof";
import { age, count, duration, plural, shortDuration } from "./words";

const kUnheard = "unknown, the socket says nothing";

export const severityMood = (severity: Alert["severity"]): Mood => (severity === "critical" ? "bad" : "waiting");

// A figure in its unit. Ratios are shares of something, so they are shown as per cent.
export function figureWords(value: number | null, unit: string): string {
  if (value === null) return "unknown";
  if (unit === "seconds") return value < 0 ? `− ${shortDuration(-value)}` : shortDuration(value);
  if (unit === "ratio") return `${Math.round(value * 1000) / 10} %`;
  const number = Number.isInteger(value) ? count(value) : value.toFixed(1);
  if (unit === "") return number;
  return value === 1 && unit.endsWith("s") ? `${number} ${unit.slice(0, -1)}` : `${number} ${unit}`;
}

export const firingAlerts = (guard: Guard | null): Alert[] => (guard?.alerts ?? []).filter(({ firing }) => firing);

export const alertKey = (alert: Alert): string => `${alert.process}/${alert.seq}`;

export const auditKey = (audit: Audit): string => `${audit.process}/${audit.pipeline}/${audit.kind}`;

// How long it has been firing, or fired, by the server's clock, which may differ from the reader's.
export function alertSpan(alert: Alert, now_ms: number): string {
  const end_ms = alert.firing ? now_ms : alert.resolved_at_ms;
  return duration(Math.max(0, (end_ms - alert.fired_at_ms) / 1000));
}

// "3 alerts, 1 critical".
export function alertsWords(firing: Alert[]): string {
  const critical = firing.filter(({ severity }) => severity === "critical").length;
  const all = plural(firing.length, "alert");
  if (critical === 0) return all;
  return critical === firing.length ? `${count(critical)} critical ${critical === 1 ? "alert" : "alerts"}` : `${all}, ${count(critical)} critical`;
}

// The same in a few letters.
export function alertsInShort(firing: Alert[]): string {
  const critical = firing.filter(({ severity }) => severity === "critical").length;
  if (critical === 0) return alertsWords(firing);
  return critical === firing.length ? `${count(critical)} critical` : `${count(critical)} critical of ${count(firing.length)}`;
}

// The guard's words as a sentence.
export function sentence(text: string): string {
  const first = text.slice(0, 1).toUpperCase() + text.slice(1);
  return text === "" || /[.!?]$/.test(text) ? first : `${first}.`;
}

// Text with its parts in backticks apart: every second one is code.
export const codeParts = (text: string): string[] => text.split("`");

// A look is late when two of them didn't come.
export const guardLateAfter_s = (guard: Guard): number => 2 * guard.interval_s + 2;

export function isGuardLate(guard: Guard, elapsed_s: number): boolean {
  return guard.age_s !== null && guard.age_s + elapsed_s > guardLateAfter_s(guard);
}

export function guardProof(guard: Guard | null, elapsed_s: number, heard: boolean): Proof {
  const proof: Proof = {
    key: "guard", name: "Guard", kind: "looks from outside", mood: "unknown", words: "not configured", detail: "",
    age_s: guard?.configured && guard.age_s !== null ? guard.age_s + elapsed_s : null, means: "a round of looks at both ends of every pipeline",
  };
  if (!guard?.configured) return { ...proof, detail: "no guard looks at these pipelines" };
  const firing = firingAlerts(guard);
  const every = `every ${duration(guard.interval_s)}`;
  if (firing.length > 0) return { ...proof, mood: firing.some(({ severity }) => severity === "critical") ? "bad" : "waiting", words: alertsWords(firing), detail: sentence(firing[0]?.text ?? "") };
  if (!heard) return { ...proof, words: kUnheard, detail: every };
  if (guard.age_s === null) return { ...proof, mood: "waiting", words: "has not looked yet", detail: every };
  if (isGuardLate(guard, elapsed_s)) return { ...proof, mood: "bad", words: "the guard itself is late", detail: `a round of looks is due ${every}` };
  return { ...proof, mood: "good", words: "no alert", detail: `looks ${every}` };
}

export const foundByAudit = (audit: Audit): number => audit.missing + audit.extra + audit.different + audit.unreadable + audit.stale + audit.doubled;

// What an audit found no fault with, and can't vouch for either.
export function openWords(audit: Audit): string {
  const parts: [number, string][] = [[audit.rejected_documents, "rejected"], [audit.unsettled, "unsettled"], [audit.unexamined, "not looked at"], [audit.unaudited_collections, audit.unaudited_collections === 1 ? "collection not compared" : "collections not compared"]];
  return parts.filter(([n]) => n > 0).map(([n, word]) => `${count(n)} ${word}`).join(", ");
}

// "2 missing, 1 extra, 3 different".
export function differenceWords(audit: Audit): string {
  const parts: [number, string][] = [[audit.missing, "missing"], [audit.extra, "extra"], [audit.different, "different"], [audit.unreadable, "unreadable"], [audit.stale, "stale behind a reject"], [audit.doubled, "on two shards"]];
  return parts.filter(([n]) => n > 0).map(([n, word]) => `${count(n)} ${word}`).join(", ");
}

export const auditAge_s = (audit: Audit, elapsed_s: number): number | null => (audit.age_s === null ? null : audit.age_s + elapsed_s);

// An audit is overdue when it should have come to its end twice.
const kOverdue = 2;

// What is proven of both ends, and whether the proof is still fresh. A difference that was found stays found until an audit
// says otherwise.
export function auditVerdict(audit: Audit, elapsed_s: number, heard: boolean): { mood: Mood; words: string } {
  if (foundByAudit(audit) > 0) return { mood: "bad", words: differenceWords(audit) };
  if (audit.state === "stopped") return { mood: "bad", words: "can't be audited" };
  if (audit.error !== "") return { mood: "bad", words: "the last audit failed" };
  const ended_s = auditAge_s(audit, elapsed_s);
  if (ended_s === null) return { mood: "waiting", words: audit.state === "running" ? "the first audit runs" : "not audited yet" };
  const agreed = openWords(audit) === "" ? "both ends agreed" : `nothing known to be wrong, but ${openWords(audit)}`;
  if (!heard) return { mood: "unknown", words: `${agreed} ${age(ended_s)}` };
  if (audit.every_s > 0 && ended_s > kOverdue * (audit.every_s + audit.duration_s)) return { mood: "waiting", words: `${agreed} ${age(ended_s)}, the next audit is overdue` };
  if (openWords(audit) !== "") return { mood: "waiting", words: agreed };
  return { mood: "good", words: audit.kind === "count" ? "both ends count the same" : "both ends hold the same" };
}

// What an audit did not settle either way.
export function unsettledWords(audit: Audit): string {
  return audit.unsettled === 0 ? "" : `${plural(audit.unsettled, "document")} kept changing while they were looked at, and ${audit.unsettled === 1 ? "is" : "are"} judged by the next audit`;
}

// "missing shop.orders {"$oid":...}" as its three parts.
export function splitFinding(text: string): { what: string; where: string; id: string } {
  const [what = "", where = ""] = text.split(" ", 2);
  const id = text.slice(what.length + where.length + 2);
  return id === "" ? { what: "", where: "", id: text } : { what, where, id };
}
