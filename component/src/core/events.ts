/** The events that the element dispatches; all bubble and cross shadow roots. */

import type { ApiError } from "../api/errors.js";
import type { Booked, Payment, Session } from "../api/types.js";

/** Details by the event's name. */
export interface SessionBookingEvents {
  /** A session exists: booked at once, or a request was accepted while the page was open. */
  booked: Booked & { session: Session };
  /** A request was sent to the mentor, who decides. */
  requested: Booked;
  /** A booking or a seat awaits its payment, which is due until its `dueAt`. */
  unpaid: Booked & { payment: Payment };
  /** A session has another time, by what was done here. */
  rescheduled: { session: Session };
  started: { session: Session };
  completed: { session: Session };
  cancelled: { session: Session };
  /** Something could not be done, and the component shows why. */
  failed: { error: ApiError; during: "load" | "hold" | "book" | "start" | "complete" | "cancel" | "session" };
  /** No one is signed in, and a person wants to book: the page may open its own sign-in. */
  signin: Record<string, never>;
}
