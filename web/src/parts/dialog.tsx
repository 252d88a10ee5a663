// A modal dialog: the browser's own, which keeps the focus inside, closes on Escape and gives the focus back.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";

interface DialogProps {
  title: string;
  onClose: (() => void) | null; // null: it can't be closed
  children: ComponentChildren;
}

export function Dialog({ title, onClose, children }: DialogProps): JSX.Element {
  const element = useRef<HTMLDialogElement | null>(null);
  const heading = useId();
  useEffect(() => {
    const dialog = element.current;
    const before = document.activeElement;
    dialog?.showModal();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog ref={element} aria-labelledby={heading}
            onCancel={(event) => { event.preventDefault(); onClose?.(); }}>
      <h2 id={heading}>{title}</h2>
      {children}
    </dialog>
  );
}
