// How a view follows the store and the time.
import { useEffect, useLayoutEffect, useReducer, useState } from "preact/hooks";
import { store } from "./app";
import type { Topic } from "./store";

const kTick_ms = 500;

function useRedraw(): () => void {
  const [, redraw] = useReducer((n: number) => n + 1, 0);
  return redraw as unknown as () => void;
}

// Draws the component again, at most once a frame, when one of the topics changed.
export function useTopics(...topics: Topic[]): typeof store {
  const redraw = useRedraw();
  useEffect(() => {
    const ends = topics.map((topic) => store.subscribe(topic, redraw));
    return () => ends.forEach((end) => end());
  }, topics);
  return store;
}

// The same, and at most once in `pause_ms`: what changes faster than anybody reads need not cost a frame each.
export function useTopicsAtMost(pause_ms: number, ...topics: Topic[]): typeof store {
  const redraw = useRedraw();
  useEffect(() => {
    let drawn_ms = -pause_ms;
    let timer: ReturnType<typeof setTimeout> | null = null;
    const draw = (): void => {
      timer = null;
      drawn_ms = store.env.now_ms();
      redraw();
    };
    const onChange = (): void => {
      const left_ms = drawn_ms + pause_ms - store.env.now_ms();
      if (left_ms <= 0) draw();
      else timer ??= setTimeout(draw, left_ms);
    };
    const ends = topics.map((topic) => store.subscribe(topic, onChange));
    return () => {
      ends.forEach((end) => end());
      if (timer !== null) clearTimeout(timer);
    };
  }, topics);
  return store;
}

// Draws the component again twice a second: ages and countdowns move without any frame of the server.
export function useTick(): void {
  const redraw = useRedraw();
  useEffect(() => {
    const timer = setInterval(redraw, kTick_ms);
    return () => clearInterval(timer);
  }, []);
}

export type Theme = "auto" | "light" | "dark";
const kThemeKey = "tidemark.theme";

export function useTheme(): [Theme, (theme: Theme) => void] {
  const [theme, setTheme] = useState<Theme>(() => (localStorage.getItem(kThemeKey) as Theme | null) ?? "auto");
  // Before anything is painted, so that the page never flashes in the other colours.
  useLayoutEffect(() => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    localStorage.setItem(kThemeKey, theme);
    window.dispatchEvent(new Event("tidemark-theme"));
  }, [theme]);
  return [theme, setTheme];
}

export function useRoute(): string {
  const read = (): string => location.hash.replace(/^#\/?/, "");
  const [route, setRoute] = useState(read);
  useEffect(() => {
    const follow = (): void => setRoute(read());
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return route;
}
