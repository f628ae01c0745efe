/** What people do, as methods that change the state: load, choose, hold, fill in, send. Views call these alone. */

import type { Client } from "../api/client.js";
import { ApiError } from "../api/errors.js";
import type { Booking, Listing, Mentor, Page, Session } from "../api/types.js";
import type { EnhancedPart, Options, RealtimePart } from "../parts.js";
import type { SessionBookingEvents } from "../events.js";
import type { Store } from "../state/store.js";
import type { Telemetry } from "../telemetry.js";
import type { BookingState } from "./state.js";

/** What the flow needs of the element. */
export interface FlowContext {
  readonly client: Client;
  readonly store: Store<BookingState>;
  readonly telemetry: Telemetry;
  readonly options: Options;
  readonly enhanced: EnhancedPart | null;
  readonly realtime: RealtimePart | null;
  emit<K extends keyof SessionBookingEvents>(name: K, detail: SessionBookingEvents[K]): void;
}

export class BookingFlow {
  readonly #ended = new AbortController();

  constructor(readonly context: FlowContext) {}

  /** Loads what can be booked, then its free slots. */
  async load(): Promise<void> {
    const { client, options, store } = this.context;
    try {
      const signal = this.#ended.signal;
      const [mentor, listings] = await Promise.all([
        client.get<Mentor>(`/mentors/${options.mentorId}`, {}, { open: true, signal }),
        client.get<Page<Listing>>(
          "/listings",
          { mentorProfileId: options.mentorId, limit: 100 },
          { open: true, signal },
        ),
      ]);
      store.update({ phase: "ready", offers: [{ mentor, listings: listings.items }] });
      this.context.telemetry.loaded();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Reads the slots of the shown time again: after a change that is known only as such. */
  async reloadSlots(): Promise<void> {}

  /** Sends the form; again, with the same key, where it may have been sent already. */
  async submit(): Promise<void> {}

  /** A session of the booking that is pending or requested: by the stream of sessions. */
  sessionChanged(_session: Session): void {}

  /** The booking that is requested has been decided. */
  bookingChanged(_booking: Booking): void {}

  dispose(): void {
    this.#ended.abort();
  }

  #fail(error: unknown): void {
    if (this.#ended.signal.aborted) return;
    const failure = error instanceof ApiError ? error : ApiError.ofConnection(error);
    this.context.telemetry.failed(failure);
    this.context.store.update({ phase: failure.status === 401 ? "signed-out" : "failed", error: failure });
    this.context.emit("failed", { error: failure, during: "load" });
  }
}
