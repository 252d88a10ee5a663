// Alerts of the guard: what is wrong, since when, by how much, and what to do. The colour says the severity, and so does
// the word.
import type { JSX } from "preact";
import { alertKey, alertSpan, codeParts, figureWords, firingAlerts, isGuardLate, sentence, severityMood } from "../logic/guard";
import { clockTime, dayTime, duration, plural } from "../logic/words";
import type { Alert } from "../protocol";
import type { Store } from "../state/store";
import { State } from "./mood";

const kResolvedShown = 20;

function When({ ms }: { ms: number }): JSX.Element {
  const today = new Date(ms).toDateString() === new Date().toDateString();
  return <time dateTime={new Date(ms).toISOString()}>{today ? clockTime(ms) : dayTime(ms)}</time>;
}

function Prose({ text }: { text: string }): JSX.Element {
  return <>{codeParts(sentence(text)).map((part, i) => (i % 2 === 1 ? <code key={i}>{part}</code> : part))}</>;
}

const nameOf = (alert: Alert): string => alert.name.replace(/_/g, " ");

function Firing({ alert, now_ms }: { alert: Alert; now_ms: number }): JSX.Element {
  return (
    <li class={`alert alert-${alert.severity}`}>
      <div class="alert-head">
        <span class={`alert-severity alert-severity-${alert.severity}`}><State mood={severityMood(alert.severity)}>{alert.severity}</State></span>
        <b class="alert-name">{nameOf(alert)}</b>
        <span class="alert-of">{alert.pipeline || "the whole program"}{alert.process && ` in ${alert.process}`}</span>
        <span class="alert-since">for {alertSpan(alert, now_ms)}, since <When ms={alert.fired_at_ms} /></span>
      </div>
      <p class="alert-text"><Prose text={alert.text} /></p>
      <p class="alert-figures">
        <span><b>{figureWords(alert.figure, alert.unit)}</b></span>
        <span>limit {figureWords(alert.limit, alert.unit)}</span>
      </p>
      {alert.hint !== "" && <p class="alert-hint"><b>What to do:</b> <Prose text={alert.hint} /></p>}
    </li>
  );
}

// For the top of the overview: nothing at all when all is well.
export function AlertBanner({ store }: { store: Store }): JSX.Element | null {
  const firing = firingAlerts(store.guard);
  const late = store.guard !== null && store.guard.configured && store.heard && isGuardLate(store.guard, store.since_s(store.status_ms) ?? 0);
  if (firing.length === 0 && !late) return null;
  return (
    <section class="alerts" aria-labelledby="alerts-title">
      <h2 id="alerts-title">{firing.length > 0 ? `Firing now: ${plural(firing.length, "alert")}` : "The guard is late"}</h2>
      {late && <p class="problem">The guard has not looked for {duration((store.guard?.age_s ?? 0) + (store.since_s(store.status_ms) ?? 0))}: what it says here may be out of date.</p>}
      <FiringList firing={firing} store={store} />
    </section>
  );
}

function FiringList({ firing, store }: { firing: Alert[]; store: Store }): JSX.Element | null {
  if (firing.length === 0) return null;
  return <ul class="alert-list" aria-label="Firing alerts">{firing.map((alert) => <Firing key={alertKey(alert)} alert={alert} now_ms={store.serverNow_ms()} />)}</ul>;
}

function Resolved({ alert, now_ms }: { alert: Alert; now_ms: number }): JSX.Element {
  return (
    <li class="resolved">
      <When ms={alert.resolved_at_ms} />
      <span><State mood="good">resolved</State></span>
      <span class="resolved-what"><b>{nameOf(alert)}</b> of {alert.pipeline || "the whole program"}{alert.process && ` in ${alert.process}`}, {alert.severity}, after {alertSpan(alert, now_ms)}</span>
      <span class="resolved-text"><Prose text={alert.text} /></span>
    </li>
  );
}

// All of them, as the guard's part of the proof.
export function AlertsCard({ store }: { store: Store }): JSX.Element {
  const firing = firingAlerts(store.guard);
  const resolved = (store.guard?.alerts ?? []).filter((alert) => !alert.firing).sort((a, b) => b.resolved_at_ms - a.resolved_at_ms);
  return (
    <section class="guard-alerts" aria-labelledby="guard-alerts-title">
      <h3 id="guard-alerts-title">Alerts</h3>
      {firing.length === 0 && <p class="none"><State mood={store.heard ? "good" : "unknown"}>{store.heard ? "none fires" : "none fired when the guard was last heard"}</State></p>}
      <FiringList firing={firing} store={store} />
      {resolved.length > 0 && (
        <details class="resolved-ones" open={firing.length === 0}>
          <summary>{plural(resolved.length, "alert")} resolved</summary>
          <ol aria-label="Resolved alerts, newest first">{resolved.slice(0, kResolvedShown).map((alert) => <Resolved key={alertKey(alert)} alert={alert} now_ms={store.serverNow_ms()} />)}</ol>
          {resolved.length > kResolvedShown && <p class="hint">and {resolved.length - kResolvedShown} before these</p>}
        </details>
      )}
    </section>
  );
}
