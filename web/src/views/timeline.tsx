// What happened, newest first: elections, dead cursors, resumes with what they replayed, back-offs with their countdown.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { State } from "../parts/mood";
import { pipelineKey, pipelineMood, type Mood } from "../logic/proof";
import { count, dayTime, clockTime, retryLeft, stateWords } from "../logic/words";
import type { TimelineEntry } from "../protocol";
import { useTick, useTopics } from "../state/hooks";

const kKinds: Record<string, { name: string; mood: Mood }> = {
  election: { name: "election", mood: "waiting" },
  cursor_dead: { name: "cursor dead", mood: "bad" },
  resumed: { name: "resumed", mood: "good" },
  backoff: { name: "back-off", mood: "waiting" },
  sink_fault: { name: "sink fault", mood: "bad" },
  sink_back: { name: "sink back", mood: "good" },
  dead_letter: { name: "dead letter", mood: "waiting" },
  ended: { name: "ended", mood: "unknown" },
  started: { name: "started", mood: "good" },
  alert: { name: "alert", mood: "bad" },
  fault: { name: "fault inflicted", mood: "waiting" },
};

const kindOf = (kind: string): { name: string; mood: Mood } => kKinds[kind] ?? { name: kind.replace(/_/g, " "), mood: "unknown" };

export function TimelineView(): JSX.Element {
  const store = useTopics("timeline", "status", "link");
  const [pipeline, setPipeline] = useState("");
  const [kind, setKind] = useState("");
  const entries = store.timeline.filter((entry) => (pipeline === "" || entry.pipeline === pipeline) && (kind === "" || entry.kind === kind)).reverse();
  const kinds = [...new Set(store.timeline.map((entry) => entry.kind))].sort();
  const names = [...new Set(store.timeline.map((entry) => entry.pipeline).filter((name) => name !== ""))].sort();
  return (
    <>
      <Countdowns />
      <div class="tools">
        <label class="select"><span>Kind</span>
          <select value={kind} onChange={(event) => setKind(event.currentTarget.value)}>
            <option value="">all</option>
            {kinds.map((one) => <option key={one} value={one}>{kindOf(one).name}</option>)}
          </select>
        </label>
        <label class="select"><span>Pipeline</span>
          <select value={pipeline} onChange={(event) => setPipeline(event.currentTarget.value)}>
            <option value="">all</option>
            {names.map((one) => <option key={one} value={one}>{one}</option>)}
          </select>
        </label>
        <span class="tools-note">{count(entries.length)} shown</span>
      </div>
      {entries.length === 0 && <p class="empty">{store.timeline.length === 0 ? "Nothing happened yet that is worth a line." : "Nothing of this kind happened."}</p>}
      <ol class="timeline" aria-label="What happened, newest first">{entries.map((entry) => <Entry key={entry.seq} entry={entry} />)}</ol>
    </>
  );
}

// An alert fires and resolves under one kind.
const isResolution = (entry: TimelineEntry): boolean => entry.kind === "alert" && / resolved$/.test(entry.text);

function Entry({ entry }: { entry: TimelineEntry }): JSX.Element {
  const { name, mood } = isResolution(entry) ? { name: "alert resolved", mood: "good" as Mood } : kindOf(entry.kind);
  const today = new Date(entry.at_ms).toDateString() === new Date().toDateString();
  return (
    <li class={`entry mood-${mood}`}>
      <time dateTime={new Date(entry.at_ms).toISOString()}>{today ? clockTime(entry.at_ms) : dayTime(entry.at_ms)}</time>
      <span class="entry-kind"><State mood={mood}>{name}</State></span>
      <span class="entry-pipeline">{entry.pipeline || "program"}</span>
      <span class="entry-text">
        {entry.text}
        {entry.kind === "resumed" && <span class="replayed">{count(entry.replayed)} replayed</span>}
      </span>
    </li>
  );
}

// The waits that run now.
function Countdowns(): JSX.Element | null {
  const store = useTopics("status", "link");
  useTick();
  const elapsed_s = store.since_s(store.status_ms) ?? 0;
  const waiting = store.pipelines.filter((pipeline) => pipeline.retry_in_s !== null);
  if (waiting.length === 0) return null;
  return (
    <ul class="countdowns" aria-label="Waiting now">
      {waiting.map((pipeline) => (
        <li key={pipelineKey(pipeline)} class={`card card-${pipelineMood(pipeline)}`}>
          <b class="countdown">{Math.ceil(retryLeft(pipeline, elapsed_s) ?? 0)} <small>s</small></b>
          <div>
            <p><b>{pipeline.name}</b> {stateWords(pipeline, elapsed_s)}</p>
            {pipeline.error !== "" && <p class="why">{pipeline.error}</p>}
          </div>
        </li>
      ))}
    </ul>
  );
}
