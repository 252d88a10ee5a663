// A dead letter in full, and the question before one is thrown away.
import type { JSX } from "preact";
import { dayTime } from "../logic/words";
import type { Letter } from "../protocol";
import { Dialog } from "./dialog";
import { indented } from "../logic/json_text";
import { JsonView } from "./json_view";

export function LetterDialog({ letter, onClose }: { letter: Letter; onClose: () => void }): JSX.Element {
  return (
    <Dialog title="Dead letter" onClose={onClose}>
      <dl class="facts">
        <div><dt>Reason</dt><dd>{letter.reason}</dd></div>
        <div><dt>Pipeline</dt><dd>{letter.pipeline}</dd></div>
        <div><dt>Refused</dt><dd>{dayTime(letter.at_ms)}</dd></div>
        <div><dt>Attempts</dt><dd>{letter.attempts}</dd></div>
        <div><dt>Origin</dt><dd>{letter.origin || "not recorded"}</dd></div>
        <div><dt>Id</dt><dd><code>{letter.id}</code></dd></div>
      </dl>
      <JsonView text={indented(letter.event)} label="The event as JSON" />
      <div class="actions"><button type="button" onClick={onClose}>Close</button></div>
    </Dialog>
  );
}

export function DiscardDialog({ letter, onClose, onDiscard }: { letter: Letter; onClose: () => void; onDiscard: () => void }): JSX.Element {
  return (
    <Dialog title="Discard this dead letter?" onClose={onClose}>
      <p>It is deleted from the store of <b>{letter.pipeline}</b> and can't be brought back. It was refused because: {letter.reason}</p>
      <div class="actions">
        <button type="button" onClick={onClose} autoFocus>Keep it</button>
        <button type="button" class="danger" onClick={onDiscard}>Discard it</button>
      </div>
    </Dialog>
  );
}
