// Figures as words: durations, ages, counts, and a pipeline's state. No DOM, no clock.
import type { Pipeline } from "../protocol";

// The largest units that matter: "6 h 12 m", "12 m 4 s", "4 s". Never a fraction but below ten seconds of an age.
export function duration(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return s % 60 === 0 ? `${s / 60} m` : `${Math.floor(s / 60)} m ${s % 60} s`;
  const minutes = Math.floor(s / 60);
  if (s < 86_400) return minutes % 60 === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} m`;
  const hours = Math.floor(s / 3600);
  return hours % 24 === 0 ? `${hours / 24} d` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export function shortDuration(seconds: number): string {
  if (seconds > 0 && seconds < 1) return seconds < 0.01 ? `${(seconds * 1000).toFixed(1)} ms` : `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10 && !Number.isInteger(seconds)) return `${seconds.toFixed(1)} s`;
  return duration(seconds);
}

// How long ago the last proof was. Below a second it is now: a page that is drawn twice a second can't say more.
export function age(seconds: number | null): string {
  if (seconds === null) return "never yet";
  if (seconds < 1) return "now";
  return `${duration(seconds)} ago`;
}

export function count(value: number): string {
  return Math.round(value).toLocaleString("en-US").replace(/,/g, "\u202f");
}

// For where there is no room for twelve digits: exact below a million, then three digits and a unit.
export function shortCount(value: number): string {
  const units = ["", "K", "M", "G", "T"];
  if (Math.round(value) < 1_000_000) return count(value);
  let scaled = value;
  let unit = 0;
  while (scaled >= 999.5 && unit < units.length - 1) {
    scaled /= 1000;
    unit += 1;
  }
  return `${scaled.toPrecision(3)}\u202f${units[unit]}`;
}

// A number beside the name of a view.
export const badge = (value: number): string => (value > 999 ? "999+" : String(value));

export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

export function rate(perSecond: number): string {
  if (perSecond <= 0) return "0";
  if (perSecond < 0.095) return "<0.1";
  if (perSecond < 10) return perSecond.toFixed(1);
  return count(perSecond);
}

export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let scaled = value;
  let unit = 0;
  while (scaled >= 1024 && unit < units.length - 1) {
    scaled /= 1024;
    unit += 1;
  }
  return `${unit === 0 || scaled >= 100 ? Math.round(scaled) : scaled.toFixed(1)} ${units[unit]}`;
}

export function ordinal(n: number): string {
  const tens = n % 100;
  if (tens >= 11 && tens <= 13) return `${n}th`;
  return `${n}${["th", "st", "nd", "rd"][n % 10] ?? "th"}`;
}

// What is left of a back-off that had `retry_in_s` to go `elapsed_s` ago.
export function retryLeft(pipeline: Pipeline, elapsed_s: number): number | null {
  return pipeline.retry_in_s === null ? null : Math.max(0, pipeline.retry_in_s - elapsed_s);
}

// "streaming", "waiting for the source, next try in 4 s (3rd)".
export function stateWords(pipeline: Pipeline, elapsed_s: number): string {
  const left = retryLeft(pipeline, elapsed_s);
  if (left === null) return pipeline.state;
  const which = pipeline.retry_attempt > 0 ? ` (${ordinal(pipeline.retry_attempt)})` : "";
  return left < 0.5 ? `${pipeline.state}, trying now${which}` : `${pipeline.state}, next try in ${Math.ceil(left)} s${which}`;
}

// The oplog's window as time, and how much it matters.
export function windowWords(left_s: number | null): string | null {
  if (left_s === null) return null;
  return left_s <= 0 ? "this position is lost" : `${duration(left_s)} until this position is lost`;
}

// The upper bound of the bucket that holds quantile `q`: the histogram knows no more. Null without an observation.
export function quantileAtMost(bounds_s: number[], counts: number[], q: number): { bound_s: number; above: boolean } | null {
  const total = counts.reduce((sum, n) => sum + n, 0);
  if (total === 0) return null;
  let seen = 0;
  for (let i = 0; i < bounds_s.length; i++) {
    seen += counts[i] ?? 0;
    if (seen >= q * total) return { bound_s: bounds_s[i] ?? 0, above: false };
  }
  return { bound_s: bounds_s[bounds_s.length - 1] ?? 0, above: true };
}

const two = (n: number): string => String(n).padStart(2, "0");

// The wall time in the reader's own zone; with milliseconds where order matters.
export function clockTime(ms: number, withMilliseconds = false): string {
  const at = new Date(ms);
  const seconds = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return withMilliseconds ? `${seconds}.${String(at.getMilliseconds()).padStart(3, "0")}` : seconds;
}

export function dayTime(ms: number): string {
  const at = new Date(ms);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clockTime(ms)}`;
}
