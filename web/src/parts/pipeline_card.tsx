// One pipeline: its state in words, its rate, and the figures that say how safe its position is.
import type { JSX } from "preact";
import { pipelineMood, windowMood, type Mood } from "../logic/proof";
import { bytes, count, duration, plural, quantileAtMost, rate, retryLeft, shortDuration, stateWords, windowWords } from "../logic/words";
import type { Pipeline } from "../protocol";
import { Sparkline } from "./chart";
import { figureClass, type Figure } from "./figure";
import { State } from "./mood";

const kLagWarn_s = 10;

function figures(pipeline: Pipeline, elapsed_s: number): Figure[] {
  const list: Figure[] = [];
  if (pipeline.lag_s !== null) {
    list.push({ name: "Lag", value: shortDuration(pipeline.lag_s), ...(pipeline.lag_s > kLagWarn_s ? { mood: "waiting" as Mood } : {}) });
  }
  if (pipeline.position_age_s !== null) list.push({ name: "Position age", value: duration(pipeline.position_age_s + elapsed_s) });
  if (pipeline.backlog !== null) list.push({ name: "Backlog", value: count(pipeline.backlog) });
  list.push({ name: "In flight", value: count(pipeline.in_flight_events), ...(pipeline.in_flight_events > 0 ? { note: bytes(pipeline.in_flight_bytes) } : {}) });
  const p99 = quantileAtMost(pipeline.write_latency.bounds_s, pipeline.write_latency.counts, 0.99);
  if (p99) list.push({ name: "Write p99", value: `${p99.above ? ">" : "≤"} ${shortDuration(p99.bound_s)}` });
  const retries = pipeline.source_retries + pipeline.sink_retries;
  list.push({ name: "Retries", value: count(retries), ...(retries > 0 ? { note: pipeline.sink_retries === 0 ? "of the source" : pipeline.source_retries === 0 ? "of the sink" : "source and sink" } : {}) });
  if (pipeline.events_retried > 0) list.push({ name: "Put back", value: count(pipeline.events_retried) });
  if (pipeline.events_filtered > 0) list.push({ name: "Filtered", value: count(pipeline.events_filtered) });
  if (pipeline.events_left_out > 0) list.push({ name: "Left out", value: count(pipeline.events_left_out) });
  if (pipeline.dead_letters !== null) {
    list.push({ name: "Dead letters", value: count(pipeline.dead_letters), ...(pipeline.dead_letters > 0 ? { mood: "waiting" as Mood } : {}) });
  } else if (pipeline.events_rejected > 0) {
    list.push({ name: "Rejected", value: count(pipeline.events_rejected), mood: "waiting" });
  }
  list.push({ name: "Delivered", value: count(pipeline.events_delivered), note: bytes(pipeline.bytes_delivered) });
  return list;
}

export function PipelineCard({ pipeline, elapsed_s, heard }: { pipeline: Pipeline; elapsed_s: number; heard: boolean }): JSX.Element {
  const mood = heard ? pipelineMood(pipeline) : "unknown";
  const why = pipeline.error || pipeline.not_ready;
  const window = windowWords(pipeline.oplog_window_left_s);
  const left = retryLeft(pipeline, elapsed_s);
  return (
    <article class={`card pipeline card-${mood}`} aria-label={`Pipeline ${pipeline.name}`}>
      <header>
        <h3>{pipeline.name}</h3>
        <span class="route">{pipeline.source_type} → {pipeline.sink_type}</span>
      </header>
      {pipeline.process && <p class="process">in {pipeline.process}</p>}
      <p class="state-line"><State mood={mood}>{heard ? stateWords(pipeline, elapsed_s) : `was ${pipeline.state}`}</State></p>
      {why !== "" && <p class={left === null && pipeline.error === "" ? "why" : "why problem"}>{why}</p>}
      <div class="rate-row">
        <p class="rate"><b>{rate(pipeline.events_per_s)}</b> <span>events/s</span></p>
        <Sparkline rates={pipeline.rate_by_s} label={`events a second over the last minute, now ${rate(pipeline.events_per_s)}`} />
      </div>
      <dl class="figures">
        {figures(pipeline, elapsed_s).map(({ name, value, note, mood: tone }) => (
          <div key={name} class={figureClass(value, note, tone)}>
            <dt>{name}</dt>
            <dd>{value}{note && <small>{note}</small>}</dd>
          </div>
        ))}
      </dl>
      {window !== null && pipeline.oplog_window_left_s !== null && (
        <p class={`window mood-${windowMood(pipeline.oplog_window_left_s, pipeline.lag_s)}`}><State mood={windowMood(pipeline.oplog_window_left_s, pipeline.lag_s)}>{window}</State></p>
      )}
      {pipeline.source_opens > 1 && <p class="reopened">source reopened {plural(pipeline.source_opens - 1, "time")}</p>}
    </article>
  );
}
