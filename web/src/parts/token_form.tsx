// Asks for the token, when the server wants one. It is kept for this tab, until it is closed.
import type { JSX } from "preact";
import { useEffect, useReducer, useState } from "preact/hooks";
import { gate } from "../state/app";
import { Dialog } from "./dialog";

export function TokenForm(): JSX.Element | null {
  const [, redraw] = useReducer((n: number) => n + 1, 0);
  const [token, setToken] = useState("");
  useEffect(() => gate.onChange(() => redraw(undefined as never)), []);
  if (gate.why === null) return null;
  return (
    <Dialog title="This server asks for a token" onClose={null}>
      <form onSubmit={(event) => {
        event.preventDefault();
        if (token === "") return;
        gate.give(token);
        setToken("");
      }}>
        <p>It is the one of <code>[server] token</code> in the configuration. It stays in this tab and goes nowhere else.</p>
        <label class="field">
          <span>Token</span>
          <input type="password" autocomplete="off" spellcheck={false} value={token} required autoFocus
                 aria-describedby={gate.why ? "token-why" : undefined} onInput={(event) => setToken(event.currentTarget.value)} />
        </label>
        {gate.why && <p id="token-why" class="problem" role="alert">{gate.why}</p>}
        <div class="actions"><button type="submit" class="primary">Connect</button></div>
      </form>
    </Dialog>
  );
}
