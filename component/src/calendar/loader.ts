/** Keeps the free slots: what was read, what is read next, and what is read again. */

import type { Client } from "../api/client.js";
import { ApiError } from "../api/errors.js";
import type { Slot, Slots } from "../api/types.js";
import type { BookingState, Calendar } from "../booking/state.js";
import { addMonths, dayOf, startOfDay } from "../format/time.js";
import type { Store } from "../state/store.js";
import { bookableSlots, startOf } from "./slots.js";

const DAY_MS = 86_400_000;
const MAX_SPAN_MS = 92 * DAY_MS; // of one request
const FIRST_SPAN_MS = 14 * DAY_MS; // at least, for the first look
/** How far ahead free slots are looked for by themselves. */
const SEARCHED_MS = 366 * DAY_MS;

export interface SlotsSource {
  /** Of a mentor, or of a course. */
  path: string;
  query: Record<string, string | number | null>;
}

export class SlotsLoader {
  #run = new AbortController();

  constructor(
    private readonly client: Client,
    private readonly store: Store<BookingState>,
    private readonly source: () => SlotsSource,
  ) {}

  /** Begins anew, for another listing or duration, at the month of today; goes on until there are free slots. */
  async restart(): Promise<void> {
    const now = Date.now();
    const { zone } = this.store.state;
    const month = addMonths(dayOf(now, zone), 0);
    this.#change({ slots: [], from: now, to: now, error: null });
    this.store.update({ month, day: null });
    let end = startOfDay(addMonths(month, 1), zone);
    if (end - now < FIRST_SPAN_MS) end = startOfDay(addMonths(month, 2), zone);
    await this.#readTo(end);
    await this.findNext();
  }

  /** Reads what the shown month lacks. */
  async complete(): Promise<void> {
    const { calendar, month, zone } = this.store.state;
    const end = startOfDay(addMonths(month, 1), zone);
    if (end > calendar.to) await this.#readTo(end);
  }

  /** Reads on until there is a free slot, for a year at most, and shows its day. */
  async findNext(): Promise<void> {
    const limit = Date.now() + SEARCHED_MS;
    for (;;) {
      const { calendar, mentorId, zone } = this.store.state;
      const first = bookableSlots(calendar.slots, mentorId, Date.now())[0];
      if (first) {
        const day = dayOf(startOf(first), zone);
        return this.store.update({ month: addMonths(day, 0), day });
      }
      if (calendar.error || calendar.isLoading || calendar.to >= limit) return;
      await this.#readTo(calendar.to + MAX_SPAN_MS - DAY_MS);
    }
  }

  /** Reads everything that is known again. */
  async reload(): Promise<void> {
    const { calendar, month, zone } = this.store.state;
    if (!calendar.to) return;
    await this.#read(Date.now(), Math.max(calendar.to, startOfDay(addMonths(month, 1), zone)), []);
  }

  dispose(): void {
    this.#run.abort();
  }

  async #readTo(end: number): Promise<void> {
    const { slots, to } = this.store.state.calendar;
    await this.#read(to, end, slots);
  }

  async #read(from: number, to: number, known: readonly Slot[]): Promise<void> {
    this.#run.abort();
    const { signal } = (this.#run = new AbortController());
    this.#change({ isLoading: true, error: null });
    const { path, query } = this.source();
    try {
      const found: Slot[] = [...known];
      for (let at = from; at < to; at += MAX_SPAN_MS) {
        const span = { from: isoOf(at), to: isoOf(Math.min(to, at + MAX_SPAN_MS)) };
        const page = await this.client.get<Slots>(path, { ...query, ...span }, { open: true, signal });
        found.push(...page.items);
      }
      this.#change({ slots: found, to, isLoading: false });
    } catch (error) {
      if (signal.aborted) return;
      this.#change({ isLoading: false, error: ApiError.of(error) });
    }
  }

  #change(change: Partial<Calendar>): void {
    this.store.update(({ calendar }) => ({ calendar: { ...calendar, ...change } }));
  }
}

function isoOf(instant: number): string {
  return new Date(instant).toISOString();
}
