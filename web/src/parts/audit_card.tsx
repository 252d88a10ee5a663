// One audit: what both ends hold, what was found between them, and how fresh the finding is.
import type { JSX } from "preact";
import { auditAge_s, auditVerdict, foundByAudit, sentence, splitFinding, unsettledWords } from "../logic/guard";
import { age, count, duration, plural, shortDuration } from "../logic/words";
import type { Mood } from "../logic/proof";
import type { Audit } from "../protocol";
import { figureClass, type Figure } from "./figure";
import { State } from "./mood";

function figures(audit: Audit): Figure[] {
  if (audit.finished_at_ms === 0) return [];
  const wrong = (n: number): { mood?: Mood } => (n > 0 ? { mood: "bad" } : {});
  return [
    { name: "Source", value: count(audit.source_documents), ...(audit.filtered_documents > 0 ? { note: `${count(audit.filtered_documents)} filtered out` } : {}) },
    { name: "Destination", value: count(audit.destination_documents) },
    { name: "Buckets", value: count(audit.buckets), note: audit.buckets_differing === 0 ? "all alike" : `${count(audit.buckets_differing)} differed` },
    { name: "Missing", value: count(audit.missing), ...wrong(audit.missing) },
    { name: "Extra", value: count(audit.extra), ...wrong(audit.extra) },
    { name: "Different", value: count(audit.different), ...wrong(audit.different) },
    ...(audit.unreadable > 0 ? [{ name: "Unreadable", value: count(audit.unreadable), ...wrong(audit.unreadable) }] : []),
    ...(audit.stale > 0 ? [{ name: "Stale", value: count(audit.stale), note: "behind a reject", ...wrong(audit.stale) }] : []),
    ...(audit.doubled > 0 ? [{ name: "Doubled", value: count(audit.doubled), note: "on two shards", ...wrong(audit.doubled) }] : []),
    ...(audit.rejected_documents > 0 ? [{ name: "Rejected", value: count(audit.rejected_documents), note: "not at the destination" }] : []),
  ];
}

function Progress({ audit }: { audit: Audit }): JSX.Element | null {
  if (audit.state !== "running") return null;
  const percent = Math.round(Math.min(1, Math.max(0, audit.progress)) * 100);
  return (
    <div class="audit-progress">
      <div class="bar" role="progressbar" aria-label={`Audit of ${audit.pipeline}`} aria-valuemin={0} aria-valuemax={100} aria-valuenow={percent}><span style={{ width: `${percent}%` }} /></div>
      <span>running, {percent} %</span>
    </div>
  );
}

function Found({ audit }: { audit: Audit }): JSX.Element | null {
  const found = [...audit.first_ids, ...audit.first_rejected];
  if (found.length === 0) return null;
  const more = foundByAudit(audit) + audit.rejected_documents - found.length;
  return (
    <details class="found">
      <summary>Which {found.length === 1 ? "document" : "documents"}</summary>
      <ul aria-label={`Documents found by the audit of ${audit.pipeline}`}>
        {found.map((text) => {
          const { what, where, id } = splitFinding(text);
          return <li key={text}><span>{what}</span> <span>{where}</span> <code>{id}</code></li>;
        })}
      </ul>
      {more > 0 && <p class="hint">and {count(more)} more</p>}
    </details>
  );
}

export function AuditCard({ audit, elapsed_s, heard }: { audit: Audit; elapsed_s: number; heard: boolean }): JSX.Element {
  const { mood, words } = auditVerdict(audit, elapsed_s, heard);
  const unsettled = unsettledWords(audit);
  const every = audit.every_s > 0 ? `every ${duration(audit.every_s)}` : "by hand";
  const rows = figures(audit);
  return (
    <article class={`card audit card-${mood}`} aria-label={`Audit of ${audit.pipeline}, by ${audit.kind}`}>
      <header>
        <h3>{audit.pipeline}</h3>
        <span class="route">by {audit.kind}, {every}</span>
      </header>
      {audit.process && <p class="process">in {audit.process}</p>}
      <p class="state-line"><State mood={mood}>{words}</State></p>
      <Progress audit={audit} />
      {audit.error !== "" && <p class="why problem">{sentence(audit.error)}{rows.length > 0 ? " The figures are those of the audit before." : ""}</p>}
      {rows.length > 0 && (
        <dl class="figures">
          {rows.map(({ name, value, note, mood: tone }) => (
            <div key={name} class={figureClass(value, note, tone)}>
              <dt>{name}</dt>
              <dd>{value}{note && <small>{note}</small>}</dd>
            </div>
          ))}
        </dl>
      )}
      {unsettled !== "" && <p class="why">{unsettled}</p>}
      <p class="audit-when">{rows.length === 0 ? "no audit came to its end yet" : `last audit ${age(auditAge_s(audit, elapsed_s))}, took ${shortDuration(audit.duration_s)}; ${plural(audit.buckets, "bucket")} of time compared`}</p>
      <Found audit={audit} />
    </article>
  );
}
