// A value as indented JSON, its parts told apart by colour.
import type { JSX } from "preact";
import { useState } from "preact/hooks";

const kTokens = /("(?:\\.|[^"\\])*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const kHighlightMax = 200_000; // more characters than that are shown plain

function highlighted(text: string): (string | JSX.Element)[] {
  const parts: (string | JSX.Element)[] = [];
  let end = 0;
  for (const match of text.matchAll(kTokens)) {
    const at = match.index ?? 0;
    if (at > end) parts.push(text.slice(end, at));
    const kind = match[1] !== undefined ? (match[2] !== undefined ? "key" : "string") : match[3] !== undefined ? "word" : "number";
    parts.push(<span class={`json-${kind}`}>{match[1] ?? match[0]}</span>);
    if (match[2] !== undefined) parts.push(match[2]);
    end = at + match[0].length;
  }
  parts.push(text.slice(end));
  return parts;
}

export function JsonView({ text, label }: { text: string; label: string }): JSX.Element {
  const [copied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  return (
    <div class="json">
      {navigator.clipboard && (
        <button type="button" class="quiet small copy" onClick={() => void copy().catch(() => setCopied(false))}>
          {copied ? "Copied" : "Copy"}
        </button>
      )}
      <pre tabIndex={0} role="region" aria-label={label}>{text.length > kHighlightMax ? text : highlighted(text)}</pre>
    </div>
  );
}
