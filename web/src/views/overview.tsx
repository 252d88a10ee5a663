// The planes as a row of stations with what flows between them; relays below.
import type { ComponentChildren, JSX } from "preact";
import { AlertBanner } from "../parts/alerts";
import { kSeriesColours, RateChart } from "../parts/chart";
import { State } from "../parts/mood";
import { PipelineCard } from "../parts/pipeline_card";
import { StorageCard } from "../parts/storage_card";
import { verdictOf } from "../parts/proofs";
import { pipelineKey, statsProof } from "../logic/proof";
import { age, rate, shortCount } from "../logic/words";
import type { Pipeline, PlaneName } from "../protocol";
import { useTick, useTopics } from "../state/hooks";
import type { Store } from "../state/store";

function Station({ name, what, children }: { name: string; what: string; children: ComponentChildren }): JSX.Element {
  return (
    <li class="station">
      <h2>{name} <small>{what}</small></h2>
      {children}
    </li>
  );
}

// What flows from one station into the next. It stands still when nothing does.
function Flow({ perSecond, note, known }: { perSecond: number | null; note: string; known: boolean }): JSX.Element {
  const moving = known && perSecond !== null && perSecond > 0.05;
  const pace = !moving ? "still" : perSecond > 200 ? "fast" : perSecond > 10 ? "steady" : "slow";
  return (
    <li class={`flow flow-${pace}`} aria-label={`flow: ${known && perSecond !== null ? `${rate(perSecond)} a second` : "unknown"}${note ? `, ${note}` : ""}`}>
      <span class="flow-rate">{known && perSecond !== null ? <>{rate(perSecond)}<small>/s</small></> : "?"}</span>
      <span class="flow-line" aria-hidden="true" />
      <span class="flow-note">{note}</span>
    </li>
  );
}

const rateOf = (pipelines: Pipeline[]): number | null =>
  pipelines.length === 0 ? null : pipelines.reduce((sum, pipeline) => sum + pipeline.events_per_s, 0);

function Cards({ of, store }: { of: Pipeline[]; store: Store }): JSX.Element {
  const elapsed_s = store.since_s(store.status_ms) ?? 0;
  if (of.length === 0) return <p class="absent">No pipeline of this plane is known here. It may run in a process of its own.</p>;
  return <>{of.map((pipeline) => <PipelineCard key={pipelineKey(pipeline)} pipeline={pipeline} elapsed_s={elapsed_s} heard={store.heard} />)}</>;
}

export function OverviewView(): JSX.Element {
  const store = useTopics("status", "stats", "check", "link", "hello");
  useTick();
  const { pipelines, stats, heard } = store;
  const of = (plane: PlaneName): Pipeline[] => pipelines.filter((pipeline) => pipeline.plane === plane);
  const [ingest, process, observe, relays] = [of("ingest"), of("process"), of("observe"), of("relay")];
  const planes = ingest.length + process.length + observe.length > 0 || (stats?.configured ?? false);
  if (pipelines.length === 0 && !planes) return <p class="empty">Waiting for the first status of the server.</p>;
  const backlog = stats?.queue_depth ?? process[0]?.backlog ?? null;
  const statsNow = statsProof(stats, store.since_s(store.stats_ms) ?? 0, heard);
  const { verdict } = store.check;
  const now = verdictOf(store);
  const missing = verdict.kind === "behind" ? `${shortCount(verdict.by)} missing` : "";
  return (
    <>
      {!heard && store.status_ms !== null && (
        <p class="stale" role="status">The socket says nothing: these figures are from {age(store.since_s(store.status_ms))}.</p>
      )}
      <AlertBanner store={store} />
      {planes && (
        <ol class="planes" aria-label="The planes, in the order the events go">
          <Station name="Ingestion" what="into the queue"><Cards of={ingest} store={store} /></Station>
          <Flow perSecond={rateOf(ingest)} note={backlog === null ? "" : `${shortCount(backlog)} queued`} known={heard} />
          <Station name="Processing" what="into the store"><Cards of={process} store={store} /></Station>
          <Flow perSecond={rateOf(process)} note="" known={heard} />
          <Station name="Storage" what="what the stats see"><StorageCard stats={stats} proof={statsNow} /></Station>
          <Flow perSecond={rateOf(observe)} note={missing} known={heard} />
          <Station name="Observation" what="onto this page">
            <Cards of={observe} store={store} />
            {store.comparedFeed !== null && (
              <p class="card verdict"><State mood={now.mood}>{now.words}</State></p>
            )}
          </Station>
        </ol>
      )}
      {pipelines.length > 0 && <Throughput pipelines={pipelines} />}
      {relays.length > 0 && (
        <section class="relays" aria-labelledby="relays-title">
          <h2 id="relays-title">Relays</h2>
          <div class="relay-cards"><Cards of={relays} store={store} /></div>
        </section>
      )}
    </>
  );
}

function Throughput({ pipelines }: { pipelines: Pipeline[] }): JSX.Element {
  const shown = pipelines.slice(0, kSeriesColours.length);
  return (
    <section class="card throughput" aria-labelledby="throughput-title">
      <div class="throughput-head">
        <h2 id="throughput-title">Events a second, the last minute</h2>
        <ul class="legend">
          {shown.map((pipeline, i) => (
            <li key={pipelineKey(pipeline)}><span class={`swatch series-${i + 1}`} aria-hidden="true" />{pipeline.name} <b>{rate(pipeline.events_per_s)}</b></li>
          ))}
        </ul>
      </div>
      <RateChart label={shown.map((pipeline) => `${pipeline.name} ${rate(pipeline.events_per_s)} events a second`).join(", ")}
                 series={shown.map((pipeline) => ({ name: pipelineKey(pipeline), rates: pipeline.rate_by_s }))} />
    </section>
  );
}
