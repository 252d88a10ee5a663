// What the stats say of the store: how much there is, how fast it grows, and what it is made of.
import type { JSX } from "preact";
import type { Proof } from "../logic/proof";
import { bySeverity } from "../logic/severity";
import { age, count, rate } from "../logic/words";
import type { Stats } from "../protocol";
import { State } from "./mood";
import { Severity } from "./severity";

const kShownMax = 7;

export function StorageCard({ stats, proof }: { stats: Stats | null; proof: Proof }): JSX.Element {
  if (!stats?.configured) {
    return <article class="card storage"><p class="absent">No stats are configured here: what the store holds is on nobody's word.</p></article>;
  }
  const severities = [...stats.by_severity].sort(([a], [b]) => bySeverity(a, b)).slice(0, kShownMax);
  const most = Math.max(1, ...severities.map(([, n]) => n));
  const categories = [...stats.by_category].sort(([, a], [, b]) => b - a).slice(0, kShownMax);
  return (
    <article class={`card storage card-${proof.mood}`} aria-label="The store, by the stats">
      <header><h3>events stored</h3><span class="route">looked {age(proof.age_s)}</span></header>
      <p class="state-line"><State mood={proof.mood}>{proof.words}</State></p>
      {proof.mood === "bad" && proof.detail !== "" && <p class="why problem">{proof.detail}</p>}
      <p class={stats.total !== null && stats.total >= 1e9 ? "rate total long" : "rate total"}><b>{stats.total === null ? "?" : count(stats.total)}</b> <span>{stats.per_s === null ? "" : `+ ${rate(stats.per_s)}/s`}</span></p>
      {severities.length > 0 && (
        <ul class="bars" aria-label="By severity">
          {severities.map(([name, n]) => (
            <li key={name}>
              <Severity word={name} />
              <span class="bar" aria-hidden="true"><span style={{ width: `${(100 * n) / most}%` }} /></span>
              <span class="n">{count(n)}</span>
            </li>
          ))}
        </ul>
      )}
      {categories.length > 0 && (
        <ul class="categories" aria-label="By category">
          {categories.map(([name, n]) => <li key={name}>{name} <b>{count(n)}</b></li>)}
        </ul>
      )}
      {stats.queue !== "" && stats.queue_depth !== null && (
        <p class="why">queue {stats.queue}: {count(stats.queue_depth)} waiting</p>
      )}
    </article>
  );
}
