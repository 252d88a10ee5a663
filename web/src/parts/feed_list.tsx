// The feed's rows in a box that scrolls: as high as all of them, holding those in sight. A list box for the keyboard: arrows
// choose, Enter inspects, the space bar pauses.
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useState } from "preact/hooks";
import type { EventRow, Row } from "../logic/event_log";
import type { FeedWindow } from "../logic/feed_window";
import { clockTime, plural } from "../logic/words";
import { Severity } from "./severity";

const kRow_px = 32;
const kPhoneRow_px = 58;
const kBeyond = 6; // rows drawn above and below those in sight

function useRowHeight(): number {
  const query = "(max-width: 719px)";
  const [phone, setPhone] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query);
    const follow = (): void => setPhone(media.matches);
    media.addEventListener("change", follow);
    return () => media.removeEventListener("change", follow);
  }, []);
  return phone ? kPhoneRow_px : kRow_px;
}

interface FeedListProps {
  list: { current: HTMLDivElement | null };
  view: FeedWindow;
  inspected: number | null;
  filtering: boolean;
  onPause: (on: boolean) => void;
  onInspect: (row: EventRow) => void;
}

export function FeedList({ list, view, inspected, filtering, onPause, onInspect }: FeedListProps): JSX.Element {
  const row_px = useRowHeight();
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  const [chosen, setChosen] = useState<number | null>(null); // a row's number
  const [byScroll, setByScroll] = useState(false); // the pause came of scrolling, and ends with it

  useLayoutEffect(() => {
    const element = list.current;
    if (!element) return undefined;
    const measure = new ResizeObserver(() => setHeight(element.clientHeight));
    measure.observe(element);
    return () => measure.disconnect();
  }, []);

  const onScroll = (element: HTMLDivElement): void => {
    setTop(element.scrollTop);
    if (element.scrollTop > row_px / 2 && !view.paused) {
      setByScroll(true);
      onPause(true);
    } else if (element.scrollTop === 0 && view.paused && byScroll && chosen === null && inspected === null) {
      setByScroll(false);
      onPause(false);
    }
  };

  const choose = (index: number): void => {
    const element = list.current;
    const row = view.at(Math.max(0, Math.min(view.length - 1, index)));
    if (!row || !element) return;
    onPause(true);
    setChosen(row.number);
    const at = view.indexOf(row.number) * row_px;
    if (at < element.scrollTop) element.scrollTop = at;
    if (at + row_px > element.scrollTop + element.clientHeight) element.scrollTop = at + row_px - element.clientHeight;
  };

  const onKey = (event: KeyboardEvent): void => {
    const at = chosen === null ? -1 : view.indexOf(chosen);
    const screen = Math.max(1, Math.floor(height / row_px) - 1);
    const steps: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + screen, PageUp: at - screen, Home: 0, End: view.length - 1 };
    const to = steps[event.key];
    const row = at >= 0 ? view.at(at) : undefined;
    if (to !== undefined) choose(to);
    else if (event.key === "Enter" && row?.kind === "event") onInspect(row);
    else if (event.key === " ") onPause(!view.paused);
    else return;
    event.preventDefault();
  };

  if (!view.paused && chosen !== null) setChosen(null);
  const first = Math.max(0, Math.floor(top / row_px) - kBeyond);
  const last = Math.min(view.length, Math.ceil((top + height) / row_px) + kBeyond);
  const rows: JSX.Element[] = [];
  for (let i = first; i < last; i++) {
    const row = view.at(i);
    // Keyed by place, not by row: what moves through a place changes texts and no elements.
    if (row) rows.push(<RowView key={i - first} row={row} index={i} size={view.length} chosen={row.number === chosen || row.number === inspected} onInspect={onInspect} onChoose={setChosen} />);
  }
  return (
    <div ref={list} class="feed-list" role="listbox" tabIndex={0} aria-label="Events, newest first"
         aria-activedescendant={chosen === null ? undefined : `row-${chosen}`}
         onScroll={(event) => onScroll(event.currentTarget)} onKeyDown={onKey}>
      <div class="feed-rows" style={{ height: `${Math.max(1, view.length) * row_px}px` }} role="presentation">
        <div style={{ transform: `translateY(${first * row_px}px)` }} role="presentation">{rows}</div>
        {view.length === 0 && <p class="empty">{filtering ? "Nothing of what is kept matches the filter." : "No event came yet."}</p>}
      </div>
    </div>
  );
}

interface RowProps {
  row: Row;
  index: number;
  size: number;
  chosen: boolean;
  onInspect: (row: EventRow) => void;
  onChoose: (number: number) => void;
}

export function gapWords(missed: number | null): string {
  return missed === null
    ? "The server was started anew: what came in between is unknown"
    : `Gap: ${plural(missed, "event was", "events were")} not sent to this page`;
}

function RowView({ row, index, size, chosen, onInspect, onChoose }: RowProps): JSX.Element {
  const shared = { id: `row-${row.number}`, role: "option", "aria-selected": chosen, "aria-posinset": index + 1, "aria-setsize": size } as const;
  if (row.kind === "gap") {
    return <div {...shared} class="row row-gap" title={row.missed === null ? "" : "They left the server's ring before this page could be sent them"}><span>{gapWords(row.missed)}</span></div>;
  }
  const { severity, category, title, fields } = row.summary;
  return (
    <div {...shared} class="row" onClick={() => { onChoose(row.number); onInspect(row); }}>
      <time class="row-time">{clockTime(row.item.time_ms, true)}</time>
      <Severity word={severity} />
      <span class="row-category">{category}</span>
      <span class="row-what">
        <b title={title}>{title}</b>
        {fields.map(([name, value]) => <span key={name} class="row-field"><i>{name}</i> {value}</span>)}
      </span>
    </div>
  );
}
