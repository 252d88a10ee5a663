// Says changes of state to a screen reader, politely and at most every other second. Never the feed itself.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { verdictWords } from "../logic/proof";
import { alertKey } from "../logic/guard";
import { store } from "../state/app";

const kEvery_ms = 2000;
const heardFiring = new Set<string>();

// What is worth saying, by part. The figure of a lag that grows isn't: only that there is one.
function spoken(): Map<string, string> {
  const said = new Map<string, string>();
  const { phase } = store.link;
  said.set("socket", store.silent ? "Socket silent" : phase === "open" ? "Socket open" : phase === "waiting" ? "Socket closed" : "");
  const { verdict } = store.check;
  if (verdict.kind === "behind") said.set("feed", "Feed is behind the stats");
  if (verdict.kind === "agrees") said.set("feed", verdictWords(verdict, ""));
  if (store.stats?.error) said.set("stats", "Stats: the last look failed");
  for (const pipeline of store.pipelines) said.set(`pipeline ${pipeline.name}`, `${pipeline.name}: ${pipeline.state}`);
  for (const alert of store.guard?.alerts ?? []) {
    // What was over before this page heard of it is no news.
    if (alert.firing) said.set(`alert ${alertKey(alert)}`, `Alert, ${alert.severity}, ${alert.pipeline || "the whole program"}: ${alert.text}`);
    else if (heardFiring.has(alertKey(alert))) said.set(`alert ${alertKey(alert)}`, `Alert resolved: ${alert.name.replace(/_/g, " ")} of ${alert.pipeline || "the whole program"}`);
    if (alert.firing) heardFiring.add(alertKey(alert));
  }
  return said;
}

export function Announcer(): JSX.Element {
  const [text, setText] = useState("");
  const before = useRef(new Map<string, string>());
  useEffect(() => {
    const timer = setInterval(() => {
      const now = spoken();
      const news = [...now].filter(([part, words]) => words !== "" && before.current.get(part) !== words).map(([, words]) => words);
      before.current = now;
      if (news.length > 0) setText(news.join(". "));
    }, kEvery_ms);
    return () => clearInterval(timer);
  }, []);
  return <div class="visually-hidden" role="status" aria-live="polite">{text}</div>;
}
