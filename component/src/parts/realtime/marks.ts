/** Marks of slots that have just changed: taken ones stay for a moment, so that people see what happens. */

import type { LitElement } from "lit";
import type { Slot } from "../../api/types.js";

export type Mark = "taken" | "freed";

const MARKED_MS = 4_000;

export class SlotMarks {
  readonly #marks = new Map<string, { mark: Mark; until: number; timer: ReturnType<typeof setTimeout> }>();

  constructor(
    private readonly element: LitElement,
    /** Called when a slot that was taken has been shown for long enough. */
    private readonly onOver: () => void,
    signal: AbortSignal,
  ) {
    signal.addEventListener("abort", () => this.#marks.forEach(({ timer }) => clearTimeout(timer)));
  }

  of(slot: Slot): Mark | null {
    return this.#marks.get(slot.startTime)?.mark ?? null;
  }

  /** Whether a slot that was taken has been shown for long enough; one that has the focus stays. */
  isOver(slot: Slot): boolean {
    const found = this.#marks.get(slot.startTime);
    if (found?.mark !== "taken" || found.until > Date.now()) return false;
    const focused = this.element.shadowRoot?.activeElement as HTMLElement | null | undefined;
    if (focused?.dataset["start"] !== slot.startTime) return true;
    // Its loss would send people back to the beginning of the page.
    this.set(slot, "taken");
    return false;
  }

  set(slot: Slot, mark: Mark): void {
    const { startTime } = slot;
    clearTimeout(this.#marks.get(startTime)?.timer);
    const timer = setTimeout(() => {
      if (mark === "freed") this.delete(slot, "freed");
      this.element.requestUpdate();
      this.onOver();
    }, MARKED_MS);
    this.#marks.set(startTime, { mark, until: Date.now() + MARKED_MS, timer });
  }

  delete({ startTime }: Slot, mark: Mark): void {
    const found = this.#marks.get(startTime);
    if (found?.mark !== mark) return;
    clearTimeout(found.timer);
    this.#marks.delete(startTime);
  }
}
