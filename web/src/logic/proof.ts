// Each part of the system with what it last proved, and when. No part vouches for another: a green socket says nothing of
// the feed, and a page that hears nothing says of everything behind the socket only what it last knew.
import type { Pipeline, Stats } from "../protocol";
import { kSilent_s } from "../protocol";
import type { Verdict } from "./cross_check";
import { age, count, duration, stateWords } from "./words";

// "good" and "bad" are proven; "waiting" is on its way to one of them; "unknown" is what nobody can say now.
export type Mood = "good" | "waiting" | "bad" | "unknown";

export interface Proof {
  key: string;
  name: string;
  kind: string; // what sort of part it is
  mood: Mood;
  words: string;
  detail: string; // "" = nothing to add
  age_s: number | null; // since the last proof of life; null = none yet
  means: string; // what counts as a proof of life here
}

export type LinkPhase = "connecting" | "open" | "waiting" | "refused";

export interface LinkView {
  phase: LinkPhase;
  attempt: number;
  retryIn_s: number | null;
  frameAge_s: number | null; // since the last frame
  silent: boolean;
  why: string;
}

export function socketProof(link: LinkView): Proof {
  const base = { key: "socket", name: "Socket", kind: "this page to the server", age_s: link.frameAge_s, means: "any frame; the server sends one every second" };
  switch (link.phase) {
    case "open":
      if (link.silent) {
        return { ...base, mood: "bad", words: "socket silent", detail: `open, and nothing came for more than ${kSilent_s} s` };
      }
      return { ...base, mood: link.frameAge_s === null ? "waiting" : "good", words: link.frameAge_s === null ? "open, waiting for the first frame" : "open", detail: "" };
    case "connecting":
      return { ...base, mood: "waiting", words: "connecting", detail: link.why };
    case "refused":
      return { ...base, mood: "bad", words: "refused, a token is needed", detail: link.why };
    case "waiting": {
      const left = link.retryIn_s ?? 0;
      return { ...base, mood: "bad", words: `closed, next try in ${Math.max(1, Math.ceil(left))} s`, detail: link.why };
    }
  }
}

const kUnheard = "unknown, the socket says nothing";

export function verdictWords(verdict: Verdict, feed: string): string {
  switch (verdict.kind) {
    case "off": return "no stats to compare with";
    case "waiting": return "waiting for the first look at the stats";
    case "counting": return "counting since the first look";
    case "agrees": return "feed agrees with the stats";
    case "behind": return `feed${feed === "" || feed === "feed" ? "" : ` ${feed}`} behind by ${count(verdict.by)}`;
  }
}

// A proof's words in the strip under the header, where its name stands above them already.
export function stripWords(words: string): string {
  return words.replace(/^feed agrees with the stats$/, "agrees with stats").replace(/^feed (\S+ )?behind by/, "behind by")
    .replace(/^socket silent$/, "silent").replace(/^counting since the first look$/, "counting").replace(/^waiting for the first look at the stats$/, "waits for the stats")
    .replace(kUnheard, "unknown, not heard");
}

// The verdict as it may be said now. What is known to be missing stays known; that all is there holds only as long as the
// comparisons go on, and the socket brings them.
export function verdictNow(verdict: Verdict, feed: string, agreedAge_s: number | null, interval_s: number, heard: boolean): { mood: Mood; words: string } {
  const words = verdictWords(verdict, feed);
  if (verdict.kind === "behind") return { mood: "bad", words };
  if (!heard) return { mood: "unknown", words: kUnheard };
  if (verdict.kind === "off") return { mood: "unknown", words };
  if (verdict.kind !== "agrees") return { mood: "waiting", words };
  if (agreedAge_s !== null && agreedAge_s > lateAfter_s(interval_s)) {
    return { mood: "unknown", words: `agreed ${age(agreedAge_s)}, not compared since` };
  }
  return { mood: "good", words };
}

// Looks at the stats that are this old are late: two of them didn't come.
function lateAfter_s(interval_s: number): number {
  return 2 * interval_s + 1;
}

// A feed proves itself by an event, or by a comparison that finds nothing missing; silence proves nothing.
export function feedProof(feed: string, compared: boolean, verdict: Verdict, eventAge_s: number | null, agreedAge_s: number | null,
                          interval_s: number, heard: boolean): Proof {
  const ages = [eventAge_s, compared ? agreedAge_s : null].filter((value): value is number => value !== null);
  const proof: Proof = {
    key: `feed:${feed}`, name: "Feed", kind: feed, mood: "waiting", words: "", detail: "",
    age_s: ages.length > 0 ? Math.min(...ages) : null, means: "an event that came, or a comparison that found none missing",
  };
  const last = eventAge_s === null ? "no event came yet" : `last event ${age(eventAge_s)}`;
  if (!compared) {
    const words = eventAge_s === null ? "no event yet" : "events came";
    return { ...proof, mood: "unknown", words: heard ? words : kUnheard, detail: `${last}; not compared with the stats` };
  }
  return { ...proof, ...verdictNow(verdict, "", agreedAge_s, interval_s, heard), detail: last };
}

export function statsProof(stats: Stats | null, elapsed_s: number, heard: boolean): Proof {
  const proof: Proof = {
    key: "stats", name: "Stats", kind: "the query beside the feed", mood: "waiting", words: "not asked yet", detail: "",
    age_s: stats && stats.at_ms > 0 ? stats.age_s + elapsed_s : null, means: "a look at the store that succeeded",
  };
  if (!stats) return proof;
  if (!stats.configured) return { ...proof, mood: "unknown", words: "not configured", detail: "no [[stats]] in the configuration" };
  const every = `every ${duration(stats.interval_s)}`;
  if (stats.error !== "") return { ...proof, mood: "bad", words: "the last look failed", detail: stats.error };
  if (stats.at_ms === 0) return { ...proof, detail: every };
  if (proof.age_s !== null && proof.age_s > lateAfter_s(stats.interval_s)) {
    return { ...proof, mood: heard ? "bad" : "unknown", words: heard ? "late" : kUnheard, detail: `a look is due ${every}` };
  }
  if (!heard) return { ...proof, mood: "unknown", words: kUnheard, detail: every };
  return { ...proof, mood: "good", words: "answering", detail: every };
}

export function pipelineMood(pipeline: Pipeline): Mood {
  if (pipeline.state === "unreachable") return "unknown";
  if (pipeline.ended) return pipeline.error === "" ? "unknown" : "bad";
  if (pipeline.retry_in_s !== null || pipeline.state.startsWith("waiting")) return "bad";
  if (pipeline.ready && pipeline.error === "") return "good";
  return pipeline.state === "streaming" && pipeline.not_ready !== "" ? "bad" : "waiting";
}

export function pipelineProof(pipeline: Pipeline, elapsed_s: number, heard: boolean): Proof {
  const proof: Proof = {
    key: pipelineKey(pipeline), name: pipeline.name, kind: pipeline.process ? `pipeline in ${pipeline.process}` : "pipeline",
    mood: pipelineMood(pipeline), words: stateWords(pipeline, elapsed_s), detail: pipeline.error || pipeline.not_ready,
    age_s: pipeline.proof_of_life_s === null ? null : pipeline.proof_of_life_s + elapsed_s,
    means: "an event, a high-water mark that moved, or an answer of the source",
  };
  if (heard) return proof;
  return { ...proof, mood: "unknown", words: kUnheard, detail: `was ${pipeline.state} ${age(elapsed_s)}` };
}

// How much of the oplog is left before the position: half of it is a warning, a quarter an alert. An oplog that is short
// because it is young is no reason to worry, so the time alone says nothing.
export function windowMood(left_s: number, lag_s: number | null): Mood {
  if (left_s <= 0) return "bad";
  const part = left_s / (left_s + (lag_s ?? 0));
  return part < 0.25 ? "bad" : part < 0.5 ? "waiting" : "good";
}

const kPlaneOrder: Record<Pipeline["plane"], number> = { ingest: 0, process: 1, observe: 2, relay: 3 };

// In the order that the events go.
export function inOrder(pipelines: Pipeline[]): Pipeline[] {
  return [...pipelines].sort((a, b) => kPlaneOrder[a.plane] - kPlaneOrder[b.plane]);
}

export function pipelineKey(pipeline: Pipeline): string {
  return `${pipeline.process ?? ""}/${pipeline.name}`;
}

// "3 of 4 move": never one light for all of them.
export function pipelinesWords(pipelines: Pipeline[]): string {
  const moving = pipelines.filter((pipeline) => pipelineMood(pipeline) === "good").length;
  if (moving < pipelines.length) return `${moving} of ${pipelines.length} ${moving === 1 ? "moves" : "move"}`;
  return pipelines.length === 1 ? "it moves" : `all ${pipelines.length} move`;
}
