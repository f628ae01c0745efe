/** The state of a booking, from the first look at the calendar to the session; everything that views render. */

import type { Waiting } from "../api/client.js";
import type { ApiError } from "../api/errors.js";
import type { Answers, Booking, Bundle, Course, Hold, Listing, Mentor, Product, Series, Session, Slot } from "../api/types.js";

/** A mentor whose listings can be chosen from; of a course there may be several. */
export interface Offer {
  mentor: Mentor;
  listings: Listing[];
}

/** The free slots that are known, in the order of their starts. */
export interface Calendar {
  slots: Slot[];
  /** What `slots` covers: instants, in milliseconds since the epoch. */
  from: number;
  to: number;
  isLoading: boolean;
  error: ApiError | null;
}

/** Pays for a session of a course; null where the listing has its price. */
export type PaymentChoice = { kind: "product"; product: Product } | { kind: "bundle"; bundle: Bundle };

/** A payment's name in a form. */
export function keyOf(payment: PaymentChoice | null): string | null {
  if (!payment) return null;
  return payment.kind === "bundle" ? `bundle:${payment.bundle.id}` : `product:${payment.product.id}`;
}

export interface Form {
  title: string;
  notes: string;
  /** To the questions of the listing. */
  answers?: Answers;
}

/** The field of a question, as the API names it. */
export function answerField(id: string): `answers.${string}` {
  return `answers.${id}`;
}

/** Reasons by the form's fields; `other` is for fields that the form does not show. */
export type FieldErrors = Partial<Record<"title" | "notes" | "recurrence" | "other" | ReturnType<typeof answerField>, string[]>>;

type HoldState =
  | { kind: "none" }
  | { kind: "requesting" }
  /** `endsAt` in milliseconds since the epoch, by the visitor's clock. */
  | { kind: "held"; hold: Hold; endsAt: number }
  /** The time is not kept any longer; it may still be free. */
  | { kind: "expired" }
  /** The time cannot be kept, but may be booked: too many holds, or the API is slow. */
  | { kind: "unavailable" };

export type Submission =
  | { kind: "none" }
  /** `waiting` is set while it is sent again later; `optimistic`: shown as booked already. */
  | { kind: "sending"; optimistic: boolean; waiting: Waiting | null }
  /** Kept by the realtime part until there is a connection. */
  | { kind: "queued" }
  /** Accepted; the session is being created, which takes longer than usual where `isLate`. */
  | { kind: "pending"; booking: Booking; series?: Series; isLate?: boolean }
  /** The mentor decides, or a payment is awaited. `withdrawal`: it is being withdrawn, or why it could not be. */
  | { kind: "requested" | "unpaid"; booking: Booking; series?: Series; withdrawal?: "sending" | ApiError | undefined }
  | { kind: "booked"; booking: Booking; session: Session; series?: Series }
  /** The mentor declined, the mentee withdrew, or no decision or payment came in time. */
  | { kind: "closed"; booking: Booking }
  | { kind: "refused"; error: ApiError };

export interface BookingState {
  /** `failed` has `error`, and so has `ready` where a part could not be loaded; `signed-out`: no one is signed in, and the catalogue is not open to everyone. */
  phase: "loading" | "ready" | "failed" | "signed-out";
  error: ApiError | null;
  course: Course | null;
  /** Of a `mentor`, one; of a `course`, all who teach it. */
  offers: Offer[];
  products: Product[];
  /** Null while they are being read, so that it is not known what pays. */
  bundles: Bundle[] | null;
  /** The listing whose slots are shown; of a course, any with the chosen duration. */
  listing: Listing | null;
  durationMinutes: number;
  /** Whose slots are shown of a course; null for all. */
  mentorId: string | null;
  /** The IANA zone in which times are shown. */
  zone: string;
  calendar: Calendar;
  /** The first day of the month that is shown, and the chosen day. */
  month: string;
  day: string | null;
  slot: Slot | null;
  /** Of a course: whom of those who are free at the chosen time. */
  slotMentorId: string | null;
  hold: HoldState;
  payment: PaymentChoice | null;
  form: Form;
  fieldErrors: FieldErrors;
  submission: Submission;
  /** Why the slot that was chosen last cannot be booked; shown above the others. */
  lost: { slot: Slot; error: ApiError } | null;
  /** Whether a person must sign in before the chosen slot can be held and booked. */
  needsSignIn: boolean;
}

export function initialState(zone: string, today: string): BookingState {
  return {
    phase: "loading",
    error: null,
    course: null,
    offers: [],
    products: [],
    bundles: [],
    listing: null,
    durationMinutes: 0,
    mentorId: null,
    zone,
    calendar: { slots: [], from: 0, to: 0, isLoading: false, error: null },
    month: `${today.slice(0, 7)}-01`,
    day: null,
    slot: null,
    slotMentorId: null,
    hold: { kind: "none" },
    payment: null,
    form: { title: "", notes: "" },
    fieldErrors: {},
    submission: { kind: "none" },
    lost: null,
    needsSignIn: false,
  };
}

export type Screen = "loading" | "failed" | "signed-out" | "choose" | "form" | "result";

/** Which screen shows a state. */
export function screenOf(state: BookingState): Screen {
  if (state.phase !== "ready") return state.phase;
  const { submission } = state;
  const { kind } = submission;
  const isResult = kind === "sending" ? submission.optimistic : kind !== "none" && kind !== "refused";
  if (isResult) return "result";
  return state.slot ? "form" : "choose";
}

const AWAITED = new Set<Submission["kind"]>(["pending", "requested", "unpaid"]);

/** Whether a booking has been made whose session does not exist yet. */
export function isAwaited(submission: Submission): submission is Extract<Submission, { kind: "pending" | "requested" | "unpaid" }> {
  return AWAITED.has(submission.kind);
}

const KINDS: { readonly [Status in Booking["status"]]?: "requested" | "unpaid" | "pending" } = {
  draft: "requested",
  awaiting_payment: "unpaid",
  accepted: "pending",
};

/** As what an open booking without a session is shown; undefined of one that is closed. */
export function kindOf({ status }: Booking): "requested" | "unpaid" | "pending" | undefined {
  return KINDS[status];
}

/** Whether a request may be on its way: the form must not be sent again. */
export function isSubmitting(state: BookingState): boolean {
  return state.submission.kind === "sending" || state.submission.kind === "queued";
}
