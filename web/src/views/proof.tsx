// The guard's judgement first; apart from it what each part says it last proved, and when; and the comparison that asks
// none of them.
import type { JSX } from "preact";
import { GuardSection } from "../parts/guard_section";
import { State } from "../parts/mood";
import { allProofs, verdictOf } from "../parts/proofs";
import type { Proof } from "../logic/proof";
import { age, count, duration, plural } from "../logic/words";
import { link } from "../state/app";
import { useTick, useTopics } from "../state/hooks";
import type { Store } from "../state/store";

export function ProofView(): JSX.Element {
  const store = useTopics("link", "status", "stats", "check", "hello");
  useTick();
  const { socket, feeds, stats, pipelines } = allProofs(store);
  return (
    <>
      <GuardSection store={store} />
      <section class="pipelines-own" aria-labelledby="own-title">
        <h2 id="own-title">What each part proves itself</h2>
        <p class="hint">The last sign of life of each, on its own word; no part vouches for another.</p>
        <CrossCheckCard store={store} />
        <ul class="proofs" aria-label="Parts, each with its last proof of life">
          <ProofRow proof={socket}>
            {store.link.phase === "waiting" && <button type="button" class="small" onClick={() => link.retryNow()}>Try now</button>}
          </ProofRow>
          {feeds.map((feed) => <ProofRow key={feed.key} proof={feed} />)}
          <ProofRow proof={stats} />
          {pipelines.map((pipeline) => <ProofRow key={pipeline.key} proof={pipeline} />)}
        </ul>
      </section>
      {store.unknownFrames > 0 && <p class="problem">{count(store.unknownFrames)} frames came that this page does not understand: reload it.</p>}
    </>
  );
}

function ProofRow({ proof, children }: { proof: Proof; children?: JSX.Element | false }): JSX.Element {
  return (
    <li class={`proof-row card-${proof.mood}`} aria-label={`${proof.name} ${proof.kind}`}>
      <div class="proof-part"><b>{proof.name}</b><span>{proof.kind}</span></div>
      <div class="proof-state">
        <State mood={proof.mood}>{proof.words}</State>
        {proof.detail !== "" && <p>{proof.detail}</p>}
        {children}
      </div>
      <div class="proof-when">
        <b>{proof.age_s === null ? "never yet" : proof.age_s < 1 ? "now" : duration(proof.age_s)}</b>
        <span>{proof.age_s === null || proof.age_s < 1 ? "last proof of life" : "since the last proof"}</span>
      </div>
      <p class="proof-means">counts: {proof.means}</p>
    </li>
  );
}

function CrossCheckCard({ store }: { store: Store }): JSX.Element {
  const { verdict, figures, history, agreedAt_ms } = store.check;
  const { mood, words } = verdictOf(store);
  const judged = verdict.kind === "agrees" || verdict.kind === "behind";
  const behind = verdict.kind === "behind" ? verdict.by : 0;
  return (
    <section class={`card check card-${mood}`} aria-labelledby="check-title">
      <header>
        <h3 id="check-title">Cross-check</h3>
        <p class="check-verdict"><State mood={mood}>{words}</State></p>
      </header>
      {judged && (
        <dl class="equation">
          <div><dt>stored, by the stats</dt><dd>{count(figures.stored)}</dd></div>
          <span aria-hidden="true">−</span>
          <div><dt>received, by this page</dt><dd>{count(figures.received)}</dd></div>
          <span aria-hidden="true">−</span>
          <div><dt>announced as missed</dt><dd>{count(figures.missed)}</dd></div>
          <span aria-hidden="true">=</span>
          <div class={`mood-${mood}`}><dt>behind</dt><dd>{count(behind)}</dd></div>
        </dl>
      )}
      {history.length > 0 && (
        <div class="history" role="img" aria-label={`the last ${history.length} comparisons: ${history.filter((n) => n === 0).length} agreed`}>
          {history.map((n, i) => <span key={i} class={n === 0 ? "tick agreed" : "tick behind"} />)}
          <span class="history-note">{plural(history.length, "comparison")}, {history.filter((n) => n > 0).length} behind{agreedAt_ms === null ? "" : `; agreed ${age(store.since_s(agreedAt_ms))}`}</span>
        </div>
      )}
      <p class="hint">Counts what was stored since this page began to count, against what it was sent: it needs no word of the feed's own health.</p>
    </section>
  );
}
