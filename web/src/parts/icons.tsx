// Line icons of 16 by 16, drawn in the colour of the text beside them. They are ornaments: the text says the same.
import type { JSX } from "preact";

const kPaths: Record<string, string> = {
  overview: "M2 4h12M2 8h7M2 12h10",
  proof: "M1.5 8.5h3l2-5 3 9 2-4h3",
  feed: "M3 3.5h10M3 8h10M3 12.5h6",
  timeline: "M8 2v12M8 4.5h4M8 11h4M8 7.8H4",
  letters: "M2 4h12v8.5H2zM2.3 4.5 8 9l5.7-4.5",
  faults: "M8.7 1.8 3.5 9H8l-.7 5.2L12.5 7H8z",
  close: "M4 4l8 8M12 4l-8 8",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  play: "M5 3.2v9.6L12.5 8z",
  sun: "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1",
  moon: "M13 9.8A5.5 5.5 0 0 1 6.2 3a5.5 5.5 0 1 0 6.8 6.8z",
  auto: "M8 2.5a5.5 5.5 0 1 0 0 11zM8 2.5a5.5 5.5 0 0 1 0 11z",
  search: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.3 10.3 14 14",
};

export function Icon({ name }: { name: string }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
      <path d={kPaths[name] ?? ""} fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" />
    </svg>
  );
}
