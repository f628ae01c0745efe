/** The data shown last, for a page that is opened without a connection: public data alone, of this component. */

import { bookableSlots, startOf } from "../../booking/calendar/slots.js";
import { dayOf } from "../../i18n/time.js";
import { subjectOf } from "../../booking/saved.js";
import type { BookingState } from "../../booking/state.js";
import type { PartContext } from "../../booking/contracts.js";
import type { Records } from "./storage.js";

export type Seen = Pick<
  BookingState,
  "course" | "offers" | "products" | "listing" | "durationMinutes" | "mentorId" | "calendar"
> & {
  /** The component's API and what it books. */
  key: string;
  /** Of what is free, in milliseconds since the epoch. */
  asOf: number;
};

const WRITE_AFTER_MS = 2_000;
const MAX_AGE_MS = 14 * 86_400_000;
/** Of the pages that were seen, the latest. */
const MAX_KEPT = 10;

export class LastSeen {
  /** When what is shown was true, where it was kept from an earlier visit. */
  asOf: number | null = null;
  #isRestoring = false;
  #isTidy = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly context: PartContext,
    private readonly records: Records<Seen>,
    private readonly readAt: () => number,
  ) {
    const { signal, store } = context;
    store.subscribe((state, previous) => {
      if (state.calendar !== previous.calendar) this.#writeSoon();
      // Kept data give way to the API's.
      if (state.offers !== previous.offers && !this.#isRestoring) this.asOf = null;
      if (state.phase !== previous.phase) void this.#restore();
    }, signal);
    signal.addEventListener("abort", () => clearTimeout(this.#timer));
    void this.#restore();
  }

  #writeSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const { phase, course, offers, products, listing, durationMinutes, mentorId, calendar } = this.context.store.state;
      if (phase !== "ready" || calendar.isLoading || calendar.error || this.asOf !== null) return;
      const key = subjectOf(this.context);
      const seen = { key, course, offers, products, listing, durationMinutes, mentorId, calendar, asOf: this.readAt() };
      void this.records.put(key, seen).then(
        () => this.#tidy(),
        () => undefined,
      );
    }, WRITE_AFTER_MS);
  }

  /** Forgets, once a visit, records that are too old or too many. */
  async #tidy(): Promise<void> {
    if (this.#isTidy) return;
    this.#isTidy = true;
    const all = (await this.records.all()).sort((one, other) => other.asOf - one.asOf);
    const old = all.filter(({ asOf }, at) => at >= MAX_KEPT || Date.now() - asOf > MAX_AGE_MS);
    for (const { key } of old) await this.records.delete(key);
  }

  async #restore(): Promise<void> {
    const { store } = this.context;
    if (!this.#isWanted()) return;
    const seen = await this.records.get(subjectOf(this.context));
    if (!seen || Date.now() - seen.asOf > MAX_AGE_MS || !this.#isWanted()) return;
    const { asOf, key: _key, ...kept } = seen;
    const isShown = this.asOf !== null;
    this.asOf = asOf;
    this.#isRestoring = true;
    const first = bookableSlots(kept.calendar.slots, kept.mentorId, Date.now())[0];
    const day = first ? dayOf(startOf(first), store.state.zone) : null;
    const shown = isShown ? {} : { ...kept, day, ...(day && { month: `${day.slice(0, 7)}-01` }) };
    store.update({ ...shown, phase: "ready", error: null });
    this.#isRestoring = false;
  }

  /** Only without a connection: what the API refuses is not shown. */
  #isWanted(): boolean {
    const { course, options, store } = this.context;
    const { phase, error } = store.state;
    // Without the part of courses, none can be booked.
    if (options.courseId && !course) return false;
    return phase === "failed" ? error?.status === 0 : phase === "loading" && !navigator.onLine;
  }
}
