/** What was shown last, for a page that is opened without a connection: public data alone, of this component. */

import { bookableSlots, startOf } from "../calendar/slots.js";
import { dayOf } from "../format/time.js";
import type { BookingState } from "../booking/state.js";
import type { PartContext } from "../parts.js";
import type { Records } from "./storage.js";

export type Seen = Pick<
  BookingState,
  "course" | "offers" | "products" | "listing" | "durationMinutes" | "mentorId" | "calendar"
> & {
  /** Of what is free, in milliseconds since the epoch. */
  asOf: number;
};

const WRITE_AFTER_MS = 2_000;
const MAX_AGE_MS = 14 * 86_400_000;

export class LastSeen {
  /** When what is shown was true, where it was kept from an earlier visit. */
  asOf: number | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #unsubscribe: () => void;

  constructor(
    private readonly context: PartContext,
    private readonly records: Records<Seen>,
    private readonly readAt: () => number,
  ) {
    this.#unsubscribe = context.store.subscribe((state, previous) => {
      if (state.calendar !== previous.calendar) this.#writeSoon();
      if (state.phase === "failed" && previous.phase !== "failed") void this.#restore();
    });
    if (context.store.state.phase === "failed") void this.#restore();
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#unsubscribe();
  }

  get #key(): string {
    const { client, options } = this.context;
    return [client.base, options.mentorId, options.courseId, options.listingId].join(" ");
  }

  #writeSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const { phase, course, offers, products, listing, durationMinutes, mentorId, calendar } = this.context.store.state;
      if (phase !== "ready" || calendar.isLoading || calendar.error || this.asOf !== null) return;
      const seen = { course, offers, products, listing, durationMinutes, mentorId, calendar, asOf: this.readAt() };
      this.records.put(this.#key, seen).catch(() => undefined);
    }, WRITE_AFTER_MS);
  }

  async #restore(): Promise<void> {
    const { store } = this.context;
    // Only without a connection: what the API refuses is not shown.
    if (store.state.error?.status !== 0) return;
    const seen = await this.records.get(this.#key);
    if (!seen || Date.now() - seen.asOf > MAX_AGE_MS || store.state.phase !== "failed") return;
    const { asOf, ...shown } = seen;
    this.asOf = asOf;
    const first = bookableSlots(shown.calendar.slots, shown.mentorId, Date.now())[0];
    const day = first ? dayOf(startOf(first), store.state.zone) : null;
    store.update({ ...shown, phase: "ready", error: null, day, ...(day && { month: `${day.slice(0, 7)}-01` }) });
  }
}
