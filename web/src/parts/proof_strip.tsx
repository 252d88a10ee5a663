// Socket, feed, stats, pipelines and, where one looks, the guard under the header of every view, each for itself.
import type { JSX } from "preact";
import type { Mood } from "../logic/proof";
import { alertsInShort, firingAlerts } from "../logic/guard";
import { pipelinesWords, stripWords } from "../logic/proof";
import { age } from "../logic/words";
import { useTick, useTopics } from "../state/hooks";
import { MoodMark } from "./mood";
import { allProofs } from "./proofs";

function worst(moods: Mood[]): Mood {
  for (const mood of ["bad", "unknown", "waiting"] as const) if (moods.includes(mood)) return mood;
  return moods.length > 0 ? "good" : "unknown";
}

function Item({ name, mood, words, note }: { name: string; mood: Mood; words: string; note: string }): JSX.Element {
  return (
    <a class={`proof-item mood-${mood}`} href="#/proof">
      <span class="proof-name">{name}</span>
      <span class="proof-age">{note}</span>
      <span class="proof-words"><MoodMark mood={mood} /><span>{stripWords(words)}</span></span>
    </a>
  );
}

export function ProofStrip(): JSX.Element {
  const store = useTopics("link", "status", "stats", "check", "hello");
  useTick();
  const { socket, feeds, stats, pipelines, guard } = allProofs(store);
  const firing = firingAlerts(store.guard);
  return (
    <section class="proof-strip" aria-label="What each part last proved">
      <Item name="Socket" mood={socket.mood} words={socket.words} note={age(socket.age_s)} />
      {feeds.length === 0 && <Item name="Feed" mood="unknown" words={store.hello ? "no live sink here" : "not connected yet"} note="" />}
      {feeds.map((feed) => (
        <Item key={feed.key} name={feeds.length > 1 ? `Feed ${feed.kind}` : "Feed"} mood={feed.mood} words={feed.words} note={age(feed.age_s)} />
      ))}
      <Item name="Stats" mood={stats.mood} words={stats.words} note={age(stats.age_s)} />
      <Item name="Pipelines" mood={worst(pipelines.map(({ mood }) => mood))}
            words={pipelines.length === 0 ? "none known yet" : store.heard ? pipelinesWords(store.pipelines) : "unknown, the socket says nothing"}
            note={pipelines.length === 0 ? "" : oldestWords(pipelines.map(({ age_s }) => age_s))} />
      {store.guard?.configured && <Item name="Guard" mood={guard.mood} words={firing.length > 0 ? alertsInShort(firing) : guard.words} note={age(guard.age_s)} />}
    </section>
  );
}

// Of several proofs the one that is longest ago.
function oldestWords(ages: (number | null)[]): string {
  return ages.includes(null) ? "one never yet" : age(Math.max(...(ages as number[])));
}
