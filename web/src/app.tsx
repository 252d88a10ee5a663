// The frame around the views: who serves this page, what each part last proved, where one can go, and what changed.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Announcer } from "./parts/announcer";
import { FaultPanel } from "./parts/fault_panel";
import { Icon } from "./parts/icons";
import { ProofStrip } from "./parts/proof_strip";
import { TokenForm } from "./parts/token_form";
import { firingAlerts } from "./logic/guard";
import { badge } from "./logic/words";
import { useRoute, useTheme, useTopics, type Theme } from "./state/hooks";
import { FeedView } from "./views/feed";
import { LettersView } from "./views/letters";
import { OverviewView } from "./views/overview";
import { ProofView } from "./views/proof";
import { TimelineView } from "./views/timeline";

interface View {
  route: string;
  icon: string;
  name: string;
  Component: () => JSX.Element;
}

const kViews: View[] = [
  { route: "overview", icon: "overview", name: "Overview", Component: OverviewView },
  { route: "proof", icon: "proof", name: "Proof of life", Component: ProofView },
  { route: "feed", icon: "feed", name: "Live feed", Component: FeedView },
  { route: "timeline", icon: "timeline", name: "Timeline", Component: TimelineView },
  { route: "letters", icon: "letters", name: "Dead letters", Component: LettersView },
];

function Navigation({ current }: { current: View }): JSX.Element {
  const { pipelines, guard } = useTopics("status");
  const firing = firingAlerts(guard).length;
  const letters = pipelines.reduce((sum, pipeline) => sum + (pipeline.dead_letters ?? 0), 0);
  return (
    <nav class="views" aria-label="Views">
      {kViews.map((view) => (
        <a key={view.route} href={`#/${view.route}`} aria-current={view === current ? "page" : undefined}>
          <Icon name={view.icon} />
          <span>{view.name}</span>
          {view.route === "proof" && firing > 0 && <span class="badge badge-bad" aria-label={`${firing} firing`}>{badge(firing)}</span>}
          {view.route === "letters" && letters > 0 && <span class="badge" aria-label={`${letters} kept`}>{badge(letters)}</span>}
        </a>
      ))}
    </nav>
  );
}

const kThemes: { theme: Theme; icon: string; next: Theme; label: string }[] = [
  { theme: "auto", icon: "auto", next: "light", label: "Colours: as the system has them" },
  { theme: "light", icon: "sun", next: "dark", label: "Colours: light" },
  { theme: "dark", icon: "moon", next: "auto", label: "Colours: dark" },
];

function ThemeButton(): JSX.Element {
  const [theme, setTheme] = useTheme();
  const now = kThemes.find((entry) => entry.theme === theme) ?? kThemes[0]!;
  return (
    <button type="button" class="quiet icon-only" aria-label={`${now.label}. Change`} title={now.label} onClick={() => setTheme(now.next)}>
      <Icon name={now.icon} />
    </button>
  );
}

export function App(): JSX.Element {
  const route = useRoute();
  const current = kViews.find((view) => view.route === route) ?? kViews[0]!;
  const { hello } = useTopics("hello");
  const main = useRef<HTMLElement | null>(null);
  const [first, setFirst] = useState(true);
  useEffect(() => {
    document.title = `${current.name} · Tidemark`;
    // A reader who went to another view hears its name; one who just opened the page isn't moved.
    if (!first) main.current?.querySelector("h1")?.focus();
    setFirst(false);
  }, [current]);
  const { Component } = current;
  return (
    <>
      <a class="skip" href={`#/${current.route}`} onClick={(event) => { event.preventDefault(); main.current?.focus(); }}>Skip to the content</a>
      <header class="top">
        <div class="brand">
          <img src="/assets/icon.svg" width="22" height="22" alt="" />
          <span class="wordmark">Tidemark</span>
          {hello?.demo && <span class="chip">demo</span>}
        </div>
        <Navigation current={current} />
        <ThemeButton />
      </header>
      <ProofStrip />
      {hello?.demo && <FaultPanel />}
      <main ref={main} tabIndex={-1} class={`view view-${current.route}`}>
        <h1 tabIndex={-1}>{current.name}</h1>
        <Component />
      </main>
      <footer class="foot">
        {hello ? <span>Tidemark {hello.version} · instance <code>{hello.instance.slice(0, 12)}</code></span> : <span>not connected yet</span>}
      </footer>
      <Announcer />
      <TokenForm />
    </>
  );
}
