// The demo's buttons: faults to inflict by hand, at hand on every view, so that one sees what the page makes of them.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Fault } from "../protocol";
import { api } from "../state/app";
import { useTopics } from "../state/hooks";
import { Icon } from "./icons";

const kShown_ms = 6000;

export function FaultPanel(): JSX.Element | null {
  const { hello } = useTopics("hello");
  const [faults, setFaults] = useState<Fault[]>([]);
  const [busy, setBusy] = useState("");
  const [said, setSaid] = useState<{ text: string; bad: boolean } | null>(null);
  useEffect(() => {
    api.faults().then(setFaults, (error: Error) => setSaid({ text: `The faults can't be listed: ${error.message}`, bad: true }));
  }, [hello?.instance]);
  useEffect(() => {
    if (!said || said.bad) return undefined;
    const timer = setTimeout(() => setSaid(null), kShown_ms);
    return () => clearTimeout(timer);
  }, [said]);

  const inflict = async (fault: Fault): Promise<void> => {
    setBusy(fault.name);
    try {
      await api.post("/api/demo/inflict", { fault: fault.name });
      setSaid({ text: `${fault.label}: done.`, bad: false });
    } catch (error) {
      setSaid({ text: `${fault.label}: ${(error as Error).message}`, bad: true });
    } finally {
      setBusy("");
    }
  };

  if (faults.length === 0 && !said) return null;
  return (
    <section class="faults" aria-label="Inflict a fault">
      <span class="faults-title"><Icon name="faults" />Inflict</span>
      <div class="faults-buttons">
        {faults.map((fault) => (
          <button key={fault.name} type="button" class="small" disabled={busy !== ""} onClick={() => void inflict(fault)}>
            {fault.label}
          </button>
        ))}
      </div>
      <span class={said?.bad ? "faults-said problem" : "faults-said"} role="status">{said?.text ?? ""}</span>
    </section>
  );
}
