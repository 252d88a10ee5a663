// The dead letters: what was refused and why; each can be looked at, put back, or thrown away.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { LetterDialog, DiscardDialog } from "../parts/letter_dialogs";
import { count, dayTime, plural } from "../logic/words";
import type { Letter } from "../protocol";
import { api } from "../state/app";
import { useTopics } from "../state/hooks";

const keyOf = (letter: Letter): string => `${letter.pipeline} ${letter.id}`;

// Enough of an event to know it by, cut between two of its parts; the dialog has all of it.
const kBeginning_chars = 150;
function beginning(text: string): string {
  if (text.length <= kBeginning_chars) return text;
  const cut = Math.max(text.lastIndexOf(",", kBeginning_chars), text.lastIndexOf(" ", kBeginning_chars));
  return `${text.slice(0, cut > 0 ? cut + 1 : kBeginning_chars)} …`;
}

interface Loaded {
  letters: Letter[];
  next: string | null;
}

export function LettersView(): JSX.Element {
  const store = useTopics("status");
  const [pipeline, setPipeline] = useState("");
  const [loaded, setLoaded] = useState<Loaded | null>(null);
  const [problem, setProblem] = useState("");
  const [said, setSaid] = useState("");
  const [failed, setFailed] = useState<Record<string, string>>({});
  const [busy, setBusy] = useState("");
  const [inspected, setInspected] = useState<Letter | null>(null);
  const [discarding, setDiscarding] = useState<Letter | null>(null);
  const request = useRef(0); // an answer to an older question is not shown

  const load = async (after: string | null): Promise<void> => {
    const mine = ++request.current;
    try {
      const page = await api.letters(pipeline, after);
      if (mine !== request.current) return;
      setLoaded((before) => ({ letters: after === null ? page.letters : [...(before?.letters ?? []), ...page.letters], next: page.next }));
      setProblem("");
    } catch (error) {
      if (mine === request.current) setProblem(`The dead letters can't be listed: ${(error as Error).message}`);
    }
  };
  const keepers = store.pipelines.filter((one) => one.dead_letters !== null);
  const kept = keepers.reduce((sum, one) => sum + (one.dead_letters ?? 0), 0);
  // Again when the server says that their number changed.
  useEffect(() => void load(null), [pipeline, kept]);

  const act = async (letter: Letter, what: "retry" | "discard"): Promise<void> => {
    const key = keyOf(letter);
    setBusy(key);
    setFailed(({ [key]: _, ...others }) => others);
    try {
      await api.post(`/api/dlq/${what}`, { pipeline: letter.pipeline, id: letter.id });
      setLoaded((before) => before && { ...before, letters: before.letters.filter((other) => keyOf(other) !== key) });
      setSaid(what === "retry" ? `Put back for another try: ${letter.reason}` : `Discarded: ${letter.reason}`);
    } catch (error) {
      setFailed((others) => ({ ...others, [key]: `${what === "retry" ? "Not put back" : "Not discarded"}: ${(error as Error).message}` }));
    } finally {
      setBusy("");
    }
  };

  const letters = loaded?.letters ?? [];
  return (
    <>
      <div class="tools">
        {keepers.length > 1 && (
          <label class="select"><span>Pipeline</span>
            <select value={pipeline} onChange={(event) => setPipeline(event.currentTarget.value)}>
              <option value="">all</option>
              {keepers.map((one) => <option key={one.name} value={one.name}>{one.name} ({count(one.dead_letters ?? 0)})</option>)}
            </select>
          </label>
        )}
        <button type="button" class="small" onClick={() => void load(null)}>Reload</button>
        <span class="tools-note">{loaded === null ? "" : `${plural(letters.length, "letter")} listed${loaded.next === null ? "" : ", there are more"}`}</span>
      </div>
      {problem !== "" && <p class="problem" role="alert">{problem}</p>}
      <p class="said" role="status">{said}</p>
      {loaded !== null && letters.length === 0 && problem === "" && <p class="empty">No dead letters: nothing was refused for good.</p>}
      <ul class="letters" aria-label="Dead letters">
        {letters.map((letter) => {
          const key = keyOf(letter);
          return (
            <li key={key} class="letter">
              <div class="letter-what">
                <p class="letter-reason">{letter.reason}</p>
                <p class="letter-facts">
                  <span>{letter.pipeline}</span>
                  <span>{dayTime(letter.at_ms)}</span>
                  <span>{plural(letter.attempts, "attempt")}</span>
                  {letter.origin !== "" && <span>from {letter.origin}</span>}
                </p>
                <p class="letter-event"><code>{beginning(letter.event)}</code></p>
                {failed[key] !== undefined && <p class="problem" role="alert">{failed[key]}</p>}
              </div>
              <div class="letter-actions">
                <button type="button" class="small" onClick={() => setInspected(letter)}>Inspect</button>
                <button type="button" class="small" disabled={busy !== ""} onClick={() => void act(letter, "retry")}>Retry</button>
                <button type="button" class="small danger" disabled={busy !== ""} onClick={() => setDiscarding(letter)}>Discard</button>
              </div>
            </li>
          );
        })}
      </ul>
      {loaded?.next != null && <button type="button" onClick={() => void load(loaded.next)}>Show more</button>}
      {inspected && <LetterDialog letter={inspected} onClose={() => setInspected(null)} />}
      {discarding && (
        <DiscardDialog letter={discarding} onClose={() => setDiscarding(null)}
                       onDiscard={() => { setDiscarding(null); void act(discarding, "discard"); }} />
      )}
    </>
  );
}
