// One of a card's figures: its name, its value, and what the value is of.
import type { Mood } from "../logic/proof";

export interface Figure {
  name: string;
  value: string;
  note?: string;
  mood?: Mood;
}

// What fits into one column of a card.
const kValue_chars = 8;
const kNote_chars = 12;

export function figureClass(value: string, note: string | undefined, mood: Mood | undefined): string {
  const wide = value.length > kValue_chars || (note ?? "").length > kNote_chars;
  return `figure${wide ? " wide" : ""}${mood ? ` mood-${mood}` : ""}`;
}
