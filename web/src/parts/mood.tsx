// A mood as a shape and a colour; the words beside it say the same, so that neither is needed.
import type { ComponentChildren, JSX } from "preact";
import type { Mood } from "../logic/proof";

const kShapes: Record<Mood, JSX.Element> = {
  good: <path d="M2.5 6.8 5 9.3 9.6 3.2" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round" />,
  waiting: <path d="M6 1.2a4.8 4.8 0 0 0 0 9.6z M6 1.200a4.8 4.8 0 0 1 0 9.6" fill="currentColor" fill-opacity="0.35" stroke="currentColor" stroke-width="1.2" />,
  bad: <path d="M6 1 11.5 11H.5z M6 4.6v3M6 9.1v.3" fill="none" stroke="currentColor" stroke-width="1.4" stroke-linejoin="round" stroke-linecap="round" />,
  unknown: <path d="M2.5 6h7" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-dasharray="1.6 2.4" />,
};

export function MoodMark({ mood }: { mood: Mood }): JSX.Element {
  return (
    <svg class={`mark mood-${mood}`} viewBox="0 0 12 12" width="12" height="12" aria-hidden="true" focusable="false">
      {kShapes[mood]}
    </svg>
  );
}

export function State({ mood, children }: { mood: Mood; children: ComponentChildren }): JSX.Element {
  return (
    <span class={`state mood-${mood}`}>
      <MoodMark mood={mood} />
      <span>{children}</span>
    </span>
  );
}
