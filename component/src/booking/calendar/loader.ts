/** Keeps the free slots: what was read, what is read next, and what is read again. */

import type { Client } from "../../api/client.js";
import { ApiError } from "../../api/errors.js";
import type { Slot, Slots } from "../../api/types.js";
import type { BookingState, Calendar } from "../state.js";
import { addMonths, dayOf, startOfDay } from "../../i18n/time.js";
import { Latest } from "../../core/work.js";
import type { Store } from "../../core/store.js";
import { isoOf, readSlots, sourceOf, type SlotsSource } from "./read.js";
import { bookableSlots, startOf } from "./slots.js";

const DAY_MS = 86_400_000;
const SEARCHED_AT_ONCE_MS = 91 * DAY_MS;
const FIRST_SPAN_MS = 14 * DAY_MS; // at least, for the first look
/** How far ahead free slots are looked for by themselves. */
const SEARCHED_MS = 366 * DAY_MS;

/** A look at slots that was begun before it was known what is on offer; null where it was in vain. */
type EarlyLook = Promise<Slots | null> | null;

export class SlotsLoader {
  readonly #reads: Latest;
  #early: EarlyLook = null;
  /** When slots were last asked for, in milliseconds since the epoch. */
  readAt = Date.now();

  constructor(
    private readonly client: Client,
    private readonly store: Store<BookingState>,
    /** After it, nothing is read. */
    private readonly ended: AbortSignal,
  ) {
    this.#reads = new Latest(ended);
  }

  /**
   * Begins to read the slots of `restart` while the offers are read: without a duration, the API takes that of the
   * listing, or the shortest.
   */
  begin(path: string, query: SlotsSource["query"]): void {
    const now = Date.now();
    const span = { from: isoOf(now), to: isoOf(firstEnd(now)) };
    const options = { open: true, attempts: 1, signal: this.ended };
    this.#early = this.client.get<Slots>(path, { ...query, ...span }, options).catch(() => null);
  }

  /** Restarts at the month of today, for another listing or duration; goes on until there are free slots. */
  async restart(): Promise<void> {
    const now = Date.now();
    this.#change({ slots: [], from: now, to: now });
    this.store.update({ month: addMonths(dayOf(now, this.store.state.zone), 0), day: null });
    const early = this.#early;
    this.#early = null;
    await this.#readTo(firstEnd(now), early);
    await this.findNext();
  }

  showMonth(step: 1 | -1): void {
    this.#show({ month: addMonths(this.store.state.month, step), day: null });
  }

  showDay(day: string): void {
    this.#show({ day, month: addMonths(day, 0) });
  }

  /** Times in another zone; the day is of what was shown before. */
  chooseZone(zone: string): void {
    const { calendar, day, slot, zone: before } = this.store.state;
    const kept = slot ?? calendar.slots.find((each) => dayOf(startOf(each), before) === day);
    this.#show({ zone });
    const shown = kept ? dayOf(startOf(kept), zone) : day;
    if (shown) this.showDay(shown);
  }

  /** Shows it, and reads what its month lacks. */
  #show(change: Partial<BookingState>): void {
    this.store.update(change);
    const { calendar, month, zone } = this.store.state;
    const end = startOfDay(addMonths(month, 1), zone);
    if (calendar.to && end > calendar.to) void this.#readTo(end);
  }

  /** Reads on until there is a free slot, for a year at most, and shows its day. */
  async findNext(): Promise<void> {
    const limit = Date.now() + SEARCHED_MS;
    for (;;) {
      const { calendar, mentorId, zone } = this.store.state;
      const first = bookableSlots(calendar.slots, mentorId, Date.now())[0];
      if (first) return this.showDay(dayOf(startOf(first), zone));
      if (this.ended.aborted || calendar.error || calendar.isLoading || calendar.to >= limit) return;
      await this.#readTo(calendar.to + SEARCHED_AT_ONCE_MS);
    }
  }

  /** Reads everything that is known again. People stay at the month that they look at, unless there was nothing. */
  async reload(): Promise<void> {
    const { calendar, month, zone } = this.store.state;
    if (!calendar.to) return;
    await this.#read(Date.now(), Math.max(calendar.to, startOfDay(addMonths(month, 1), zone)), []);
    if (!calendar.slots.length && this.store.state.day === null) await this.findNext();
  }

  async #readTo(end: number, early: EarlyLook = null): Promise<void> {
    const { slots, to } = this.store.state.calendar;
    await this.#read(to, end, slots, early);
  }

  async #read(from: number, to: number, known: readonly Slot[], early: EarlyLook = null): Promise<void> {
    const signal = this.#reads.next();
    const source = sourceOf(this.store.state);
    if (signal.aborted || !source) return;
    const { path, query } = source;
    this.readAt = Date.now();
    this.#change({ isLoading: true, error: null });
    try {
      const found = await readSlots(from, to, async (span) => {
        const begun = await early;
        early = null;
        signal.throwIfAborted();
        return begun && begun.durationMinutes === query["durationMinutes"]
          ? begun
          : this.client.get<Slots>(path, { ...query, ...span }, { open: true, signal });
      });
      this.#change({ slots: [...known, ...found], to, isLoading: false });
    } catch (error) {
      if (signal.aborted) return;
      this.#change({ isLoading: false, error: ApiError.of(error) });
    }
  }

  #change(change: Partial<Calendar>): void {
    this.store.update(({ calendar }) => ({ calendar: { ...calendar, ...change } }));
  }
}

/**
 * The end of the month, or of the next one where too little is left, and a day more for other zones. By the browser's
 * own zone: Intl takes long when it is first used.
 */
function firstEnd(now: number): number {
  const today = new Date(now);
  const endOf = (months: number): number => new Date(today.getFullYear(), today.getMonth() + months, 2).getTime();
  return endOf(1) - now < FIRST_SPAN_MS ? endOf(2) : endOf(1);
}
