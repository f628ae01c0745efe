/** Reads free slots again where they may be wrong: soon, together, and not by all pages at once. */

import { ApiError } from "../../api/errors.js";
import type { Slot, Slots } from "../../api/types.js";
import { readSlots, sourceOf } from "../../booking/calendar/read.js";
import type { PartContext } from "../../booking/contracts.js";
import type { Interval } from "./hub.js";

const READ_AFTER_MS = 300;
const READ_SPREAD_MS = 1_200;
const READ_PAUSE_MS = 5_000;

export class SlotReads {
  #dirty: Interval | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lastRead = 0;
  #isReading = false;

  constructor(
    private readonly context: PartContext,
    /** Called with the slots that start in the span, `end` excluded, and when they began to be read. */
    private readonly onRead: (found: Slot[], span: Interval, begunAt: number) => void,
  ) {
    context.signal.addEventListener("abort", () => clearTimeout(this.#timer));
  }

  /** Whether an answer is on its way. */
  get isReading(): boolean {
    return this.#isReading;
  }

  /** Reads slots again: those from `start` to before `end`. */
  again(span: Interval): void {
    if (this.context.signal.aborted) return;
    const dirty = this.#dirty ?? span;
    this.#dirty = { start: Math.min(dirty.start, span.start), end: Math.max(dirty.end, span.end) };
    this.#schedule();
  }

  /** One reading after the other: an earlier one may be answered later. */
  #schedule(): void {
    if (this.#isReading || this.context.signal.aborted) return;
    const soonest = Math.max(READ_AFTER_MS, this.#lastRead + READ_PAUSE_MS - Date.now());
    this.#timer ??= setTimeout(() => void this.#read(), soonest + Math.random() * READ_SPREAD_MS);
  }

  async #read(): Promise<void> {
    const { client, store } = this.context;
    const source = sourceOf(store.state);
    this.#timer = undefined;
    // The booking's own reading comes first.
    if (store.state.calendar.isLoading) return this.#schedule();
    if (!this.#dirty || !source || !store.state.calendar.to) return;
    const start = Math.max(this.#dirty.start, Date.now());
    const end = Math.min(this.#dirty.end, store.state.calendar.to);
    this.#dirty = null;
    const begunAt = (this.#lastRead = Date.now());
    const options = { open: true, signal: this.context.signal };
    let found: Slot[];
    this.#isReading = true;
    try {
      found = await readSlots(start, end, (span) => client.get<Slots>(source.path, { ...source.query, ...span }, options));
    } catch (error) {
      if (!this.context.signal.aborted && ApiError.of(error).isTemporary) this.again({ start, end });
      return;
    } finally {
      this.#isReading = false;
      if (this.#dirty) this.#schedule();
    }
    // Something else is chosen by now.
    if (JSON.stringify(sourceOf(store.state)) !== JSON.stringify(source)) return;
    this.onRead(found, { start, end }, begunAt);
  }
}
