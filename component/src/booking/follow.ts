/** Follows a booking until its session exists: one that is pending for seconds, one that a mentor decides for days. */

import { delay } from "../api/client.js";
import { ApiError } from "../api/errors.js";
import type { Booking, Session } from "../api/types.js";
import type { FlowContext } from "./flow.js";

const PENDING_PAUSE_MS = 1_000;
/** Between looks at a request: soon at first, then gently. */
const DECISION_PAUSES_MS = [10_000, 15_000, 30_000, 60_000];

export class BookingFollower {
  #run = new AbortController();

  constructor(private readonly context: FlowContext) {}

  /**
   * The session of an accepted booking, as soon as it is there.
   *
   * @throws ApiError it cannot be read.
   * @throws DOMException `AbortError`: another booking is followed.
   */
  async session(id: string): Promise<Session> {
    const { signal } = this.#restart();
    for (;;) {
      try {
        return await this.context.client.get<Session>(`/sessions/${id}`, {}, { signal });
      } catch (error) {
        if (!(error instanceof ApiError) || error.code !== "session_pending") throw error;
        await delay((error.retryAfter ?? 0) * 1000 || PENDING_PAUSE_MS, signal);
      }
    }
  }

  /**
   * A request, once it has been decided. It rests while the page is hidden.
   *
   * @throws ApiError the booking is not there any longer.
   */
  async decision(id: string): Promise<Booking> {
    const { signal } = this.#restart();
    for (let look = 0; ; look++) {
      const pauses = DECISION_PAUSES_MS;
      // A stream brings the session by itself; what it does not bring is that a mentor declined.
      const step = this.context.realtime?.followsSessions ? pauses.length : look;
      await delay(pauses[Math.min(step, pauses.length - 1)] as number, signal);
      if (document.hidden) continue;
      try {
        const booking = await this.context.client.get<Booking>(`/bookings/${id}`, {}, { signal });
        if (booking.status !== "draft") return booking;
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof ApiError) || (!error.isTemporary && error.status !== 401)) throw error;
      }
    }
  }

  dispose(): void {
    this.#run.abort();
  }

  #restart(): AbortController {
    this.#run.abort();
    return (this.#run = new AbortController());
  }
}
