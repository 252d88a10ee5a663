// The events as they arrive. The list holds the newest of them and draws the rows in sight alone, once a frame.
import type { JSX } from "preact";
import { useEffect, useMemo, useReducer, useRef, useState } from "preact/hooks";
import type { EventRow } from "../logic/event_log";
import { FeedWindow } from "../logic/feed_window";
import { parseFilter } from "../logic/filter";
import { bySeverity } from "../logic/severity";
import { count, plural } from "../logic/words";
import { EventPanel } from "../parts/event_panel";
import { FeedList } from "../parts/feed_list";
import { Icon } from "../parts/icons";
import { Severity } from "../parts/severity";
import { store as theStore } from "../state/app";
import { useTopicsAtMost } from "../state/hooks";

// One event is shown at once; a flood moves ten times a second.
const kRedraw_ms = 100;

// The filter and the pause outlive a visit to another view.
const view = new FeedWindow(theStore.log.rows);
let lastText = "";
let lastSeverities: string[] = [];

export function FeedView(): JSX.Element {
  const store = useTopicsAtMost(kRedraw_ms, "feed", "hello");
  const [, redraw] = useReducer((n: number) => n + 1, 0);
  const [text, setText] = useState(lastText);
  const [severities, setSeverities] = useState(lastSeverities);
  const [inspected, setInspected] = useState<EventRow | null>(null);
  const list = useRef<HTMLDivElement | null>(null);

  useMemo(() => {
    lastText = text;
    lastSeverities = severities;
    view.setFilter(parseFilter(text, severities));
  }, [text, severities]);
  view.update();

  const pause = (on: boolean): void => {
    if (on === view.paused) return;
    if (on) view.pause();
    else view.resume();
    if (!on && list.current) list.current.scrollTop = 0;
    redraw(undefined as never);
  };
  const close = (): void => {
    setInspected(null);
    list.current?.focus();
  };
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const typing = event.target instanceof HTMLInputElement;
      if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      document.getElementById("feed-words")?.focus();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);

  if (store.hello && store.hello.feeds.length === 0) {
    return <p class="empty">No pipeline of this server has a sink of type <code>live</code>: there is no feed to show.</p>;
  }
  const known = [...new Set([...store.log.severities, ...(store.stats?.by_severity ?? []).map(([name]) => name)])].sort(bySeverity);
  const toggle = (word: string): void =>
    setSeverities(severities.includes(word) ? severities.filter((other) => other !== word) : [...severities, word]);
  const filtering = text.trim() !== "" || severities.length > 0;
  const { log } = store;
  return (
    <div class={inspected ? "feed with-panel" : "feed"}>
      <div class="feed-main">
        <div class="feed-tools" role="toolbar" aria-label="The feed's filter">
          <label class="search">
            <Icon name="search" />
            <span class="visually-hidden">Filter by words</span>
            <input id="feed-words" type="search" placeholder="Filter by words" value={text} spellcheck={false} autocomplete="off"
                   onInput={(event) => setText(event.currentTarget.value)} />
          </label>
          <div class="severities" role="group" aria-label="Severities shown">
            {known.map((word) => (
              <button key={word} type="button" class="chip-button" aria-pressed={severities.includes(word)} onClick={() => toggle(word)}>
                <Severity word={word} />
              </button>
            ))}
          </div>
          <button type="button" class={view.paused ? "primary pause" : "pause"} onClick={() => pause(!view.paused)}>
            <Icon name={view.paused ? "play" : "pause"} />
            {view.paused ? `Resume, ${count(view.waiting)} new` : "Pause"}
          </button>
        </div>
        <p class="feed-counts">
          <span>{plural(log.shown, "event")} received</span>
          {filtering && <span>{count(view.length)} of the newest {count(log.rows.length)} match</span>}
          {log.replayed > 0 && <span>{plural(log.replayed, "replay")} left out</span>}
          {log.missed > 0 && <span class="mood-bad">{count(log.missed)} missed</span>}
        </p>
        <FeedList list={list} view={view} inspected={inspected?.number ?? null} onPause={pause}
                  onInspect={(row) => { view.pause(); setInspected(row); }} filtering={filtering} />
      </div>
      {inspected && <EventPanel row={inspected} onClose={close} />}
    </div>
  );
}
