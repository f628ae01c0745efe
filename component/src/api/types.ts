/** The JSON shapes of the API that the component reads and sends. Times are RFC 3339 in UTC, amounts minor units. */

import type { components } from "./generated.js";

type Schemas = components["schemas"];

export type Money = Schemas["Money"];
export type CancellationPolicy = Schemas["AgreedPolicy"];

/** People agree to these when they book. */
export interface Terms {
  price: Money;
  /** Null: mentees cannot cancel. */
  cancellation: CancellationPolicy | null;
}

export type Mentor = Schemas["MentorProfile"];
/** The API gives both numbers of a policy, which its document takes for optional. */
export type Listing = Omit<Schemas["Listing"], "cancellation" | "questions" | "reschedule"> & Terms & { questions?: Question[] };
/** Asked of who books. `choices` are those of the kind `choice`. */
export type Question = Schemas["Question"];
/** An answer, with the question as it was asked. */
export type Answer = Schemas["Answer"];
/** By the question's id, as they were entered: `yes` or `no` to a question of that kind. */
export type Answers = Readonly<Record<string, string>>;
export type Course = Schemas["Course"];
export type Product = Schemas["Product"];
export type SupportOptions = Schemas["SupportOptions"];
/** A purchased bundle: credits that pay for sessions of a course. */
export type Bundle = Schemas["ListedBundle"];

export type Slot = Schemas["Slot"];
export type Slots = Schemas["Slots"];
export type RefusedSlot = Schemas["RefusedSlot"];
export type RefusalReason = RefusedSlot["reason"];
export type Hold = Schemas["Hold"];
export type BookingRules = Schemas["BookingRules"];

/** How the parties move a session: at once until some hours before it, by agreement, or not. An answer has all of it. */
export type ReschedulePolicy = Required<Schemas["ReschedulePolicy"]>;
export type Booking = Omit<Schemas["Booking"], "answers" | "reschedule"> & { reschedule?: ReschedulePolicy };
/** What a person owes for a booking, a series, a seat or a bundle that is paid before it is given. */
export type Payment = Schemas["Payment"];
/** How often a booking is repeated: by `count`, the first included, or `until` a date. */
export type Recurrence = Schemas["NewRecurrence"];
export type Series = Schemas["Series"];
/** The answer of every route that books, whichever of its forms it had. */
export interface Booked {
  booking: Booking;
  session: Session | null;
  series?: Series;
}
/** The bookings of a series that were cancelled, and those that remain, with the reason. */
export type CancelledSeries = Schemas["CancelledSeries"];

export type SessionStatus = Schemas["Session"]["status"];
/** Why a session is cancelled: `client_request` by its client, `coach_request` by its coach, the others by either. */
export type CancellationType = "client_request" | "coach_request" | "emergency" | "other";
export type Cancellation = Schemas["SessionCancellation"];
export type CancellationQuote = Schemas["CancellationQuote"];

/** How a session was cancelled, which the API's document leaves open. */
export interface SessionCancellation extends Pick<CancellationQuote, "cancelledBy" | "late" | "creditReturned" | "creditValidTo"> {
  type: string;
  reason: string | null;
  fee: Money | null;
  refund: Money | null;
  refundRequested: boolean;
  waivedAt: string | null;
}

/** Another time of a session, which the other party may accept until `expiresAt`. */
export type Proposal = Schemas["Proposal"];

export type Session = Omit<Schemas["Session"], "answers" | "cancellation" | "proposal" | "rescheduleCount" | "rescheduledFrom"> & {
  answers?: Answer[];
  cancellation: SessionCancellation | null;
  rescheduleCount?: number;
  /** The open one. */
  proposal?: Proposal | null;
};

/** A booking that several mentees share, with the caller's own place in it. */
export type GroupSession = Omit<Schemas["GroupSessionItem"], "answers" | "cancellationPolicy" | "questions" | "reschedule"> & {
  /** Null: participants cannot leave. */
  cancellationPolicy: CancellationPolicy | null;
  questions?: Question[];
};
/** The caller's place in the waiting list of a group; `offer` is a place that is kept for them. */
export type WaitlistEntry = Schemas["WaitlistEntry"];

/** A session that the caller may review until the permit expires. */
export type ReviewPermit = Schemas["ReviewPermit"];
export type Review = Schemas["Review"];

export interface Page<T> {
  items: T[];
  nextCursor: string | null;
}

/** A refusal, with reasons by field. */
export type ErrorBody = Omit<Schemas["ErrorBody"], "details"> & { details?: Record<string, string[]> };
