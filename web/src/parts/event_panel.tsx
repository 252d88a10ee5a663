// One event in full, beside the list (over it on a phone). Not modal: the feed goes on behind it.
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { documentText, type EventRow } from "../logic/event_log";
import { dayTime } from "../logic/words";
import { Icon } from "./icons";
import { JsonView } from "./json_view";
import { Severity } from "./severity";

export function EventPanel({ row, onClose }: { row: EventRow; onClose: () => void }): JSX.Element {
  const heading = useRef<HTMLHeadingElement | null>(null);
  useEffect(() => heading.current?.focus(), [row]);
  const { item, summary } = row;
  return (
    <aside class="panel" aria-label="The event in full" onKeyDown={(event) => { if (event.key === "Escape") onClose(); }}>
      <header>
        <h2 ref={heading} tabIndex={-1}>{summary.title}</h2>
        <button type="button" class="quiet icon-only" aria-label="Close" onClick={onClose}><Icon name="close" /></button>
      </header>
      <dl class="facts">
        <div><dt>Severity</dt><dd><Severity word={summary.severity} /></dd></div>
        <div><dt>Stored</dt><dd>{dayTime(item.time_ms)}</dd></div>
        <div><dt>Cluster time</dt><dd>{item.cluster_time.join(", ")}</dd></div>
        <div><dt>From</dt><dd>{item.ns}, by feed {row.feed}</dd></div>
        <div><dt>Read back</dt><dd>{item.sent_ms - item.time_ms >= 0 ? `${item.sent_ms - item.time_ms} ms later` : "in the same moment"}</dd></div>
      </dl>
      <JsonView text={documentText(row)} label="The event as JSON" />
      <p class="hint">event id <code>{item.id}</code></p>
    </aside>
  );
}
