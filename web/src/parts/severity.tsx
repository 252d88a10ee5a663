// A severity: the word, and a colour where the word has one.
import type { JSX } from "preact";
import { severityLevel } from "../logic/severity";

export function Severity({ word }: { word: string }): JSX.Element {
  const level = severityLevel(word);
  return <span class={`severity ${level === null ? "severity-other" : `severity-${level}`}`}>{word === "" ? "none" : word}</span>;
}
