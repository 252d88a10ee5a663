// The guard's judgement: what somebody found who asked both ends and took no word of the pipeline's own.
import type { JSX } from "preact";
import { auditKey, guardProof } from "../logic/guard";
import { age, count, plural } from "../logic/words";
import type { Guard } from "../protocol";
import type { Store } from "../state/store";
import { AlertsCard } from "./alerts";
import { AuditCard } from "./audit_card";
import { State } from "./mood";

function notices(guard: Guard): string {
  if (guard.notices_sent + guard.notices_failed === 0) return "";
  const sent = `${plural(guard.notices_sent, "notice")} sent to webhooks`;
  return guard.notices_failed === 0 ? sent : `${sent}, ${count(guard.notices_failed)} given up`;
}

export function GuardSection({ store }: { store: Store }): JSX.Element {
  const { guard, heard } = store;
  const elapsed_s = store.since_s(store.status_ms) ?? 0;
  const proof = guardProof(guard, elapsed_s, heard);
  if (!guard?.configured) {
    return (
      <section class="guard" aria-labelledby="guard-title">
        <h2 id="guard-title">The guard's judgement</h2>
        <p class="absent">No guard looks at these pipelines: that their destinations hold what they must is on the pipelines' own word. A <code>[guard]</code> in the configuration changes that.</p>
      </section>
    );
  }
  const told = notices(guard);
  return (
    <section class="guard" aria-labelledby="guard-title">
      <header class="guard-head">
        <h2 id="guard-title">The guard's judgement</h2>
        <State mood={proof.mood}>{proof.words}</State>
        <span class="guard-age">last look {age(proof.age_s)}{told !== "" && `; ${told}`}</span>
      </header>
      <p class="hint">It asks both ends on connections of its own and takes no word of the pipeline's.</p>
      <AlertsCard store={store} />
      <section aria-labelledby="audits-title">
        <h3 id="audits-title">Audits</h3>
        {guard.audits.length === 0
          ? <p class="absent">No audit is configured: documents that were lost or changed at the destination would not be noticed.</p>
          : <div class="audits">{guard.audits.map((audit) => <AuditCard key={auditKey(audit)} audit={audit} elapsed_s={elapsed_s} heard={heard} />)}</div>}
      </section>
    </section>
  );
}
