/** The JSON shapes of the API that the component reads and sends. Times are RFC 3339 in UTC, amounts minor units. */

export interface Money {
  amount: number;
  currency: string;
}

export interface CancellationPolicy {
  windowHours: number;
  lateFeePercent: number;
}

/** What people agree to when they book. */
export interface Terms {
  price: Money;
  /** Null: mentees cannot cancel. */
  cancellation: CancellationPolicy | null;
}

export interface Place {
  kind: "online" | "address" | "phone";
  value: string | null;
}

export interface Mentor {
  id: string;
  userId: string;
  name: string;
  headline: string;
  bio: string | null;
  timeZone: string;
  skills: string[];
  languages: string[];
  avatarUrl: string | null;
  rating: number | null;
  reviewCount: number;
  active: boolean;
}

export interface Listing {
  id: string;
  mentorProfileId: string;
  title: string;
  description: string | null;
  durationMinutes: number;
  price: Money;
  courseId: string | null;
  bookingMode: "request" | "instant";
  earlyStartMinutes: number | null;
  minNoticeMinutes: number;
  bufferBeforeMinutes: number;
  bufferMinutes: number;
  /** Null: mentees cannot cancel. */
  cancellation: CancellationPolicy | null;
  location: Place | null;
  active: boolean;
}

export interface Course {
  id: string;
  title: string;
  description: string | null;
  active: boolean;
}

export interface Product {
  id: string;
  courseId: string;
  kind: "single" | "bundle" | "group_seat";
  title: string;
  sessionCount: number;
  /** Of each session that it pays for; null for any. */
  durationMinutes: number | null;
  price: Money;
  validDays: number | null;
  active: boolean;
}

export interface TeachingMentor {
  id: string;
  name: string;
  headline: string;
  rating: number | null;
  reviewCount: number;
  listings: { id: string; durationMinutes: number; price: Money }[];
}

export interface SupportOptions {
  course: Course;
  mentors: TeachingMentor[];
  products: Product[];
}

/** A purchased bundle: credits that pay for sessions of a course. */
export interface Bundle {
  id: string;
  courseId: string;
  productId: string;
  totalSessions: number;
  remainingSessions: number;
  /** Of each session that it pays for; null for any. */
  durationMinutes: number | null;
  validFrom: string;
  validTo: string | null;
  status: "active" | "exhausted" | "expired";
}

export interface Slot {
  startTime: string;
  endTime: string;
  mentorProfileIds: string[];
}

export type RefusalReason = "beyond_horizon" | "too_soon" | "time_off" | "outside_hours" | "busy" | "limit";

export interface RefusedSlot {
  startTime: string;
  endTime: string;
  mentorProfileId: string;
  reason: RefusalReason;
}

export interface Slots {
  /** Of each of them. */
  durationMinutes: number;
  items: Slot[];
  /** Only with `explain=true`, which spans at most 7 days. */
  refused?: RefusedSlot[];
  /** Only with `explain=true`: mentors who are busy at all times while an outside calendar cannot be read. */
  staleCalendars?: string[];
  /** Only where the stretch is too much for one answer: from when on its slots are left out. */
  nextFrom?: string;
}

export interface Hold {
  id: string;
  mentorProfileId: string;
  startTime: string;
  endTime: string;
  expiresAt: string;
  createdAt: string;
}

export interface MentorParty {
  id: string;
  name: string;
  headline: string;
  avatarUrl: string | null;
}

export interface MenteeParty {
  id: string;
  name: string;
}

export type BookingStatus = "draft" | "accepted" | "declined" | "cancelled";

export interface Booking {
  id: string;
  listingId: string | null;
  mentorProfileId: string;
  menteeUserId: string | null;
  mentor: MentorParty | null;
  mentee: MenteeParty | null;
  kind: "individual" | "group";
  startTime: string;
  endTime: string;
  durationMinutes: number;
  status: BookingStatus;
  title: string | null;
  notes: string | null;
  price: Money;
  courseId: string | null;
  productId: string | null;
  bundlePurchaseId: string | null;
  seriesId: string | null;
  location: Place | null;
  sessionId: string | null;
  declineReason: string | null;
  /** The mentee's, or `expired` when no decision came in time. */
  cancelReason: string | null;
  createdAt: string;
  updatedAt: string;
}

/** Why a session is cancelled: `client_request` by its client, `coach_request` by its coach, the others by either. */
export type CancellationType = "client_request" | "coach_request" | "emergency" | "other";

export type SessionStatus = "scheduled" | "in_progress" | "completed" | "cancelled";

export interface SessionCancellation {
  cancelledBy: "mentee" | "mentor" | "operator" | "system";
  type: string;
  reason: string | null;
  late: boolean;
  fee: Money | null;
  refund: Money | null;
  refundRequested: boolean;
  creditReturned: boolean | null;
  /** The end of the bundle with the credit; null without an end, or without a returned credit. */
  creditValidTo: string | null;
  waivedAt: string | null;
}

export interface Session {
  id: string;
  bookingId: string;
  mentorProfileId: string;
  menteeUserId: string | null;
  mentor: MentorParty | null;
  mentee: MenteeParty | null;
  title: string | null;
  description: string | null;
  startTime: string;
  endTime: string;
  status: SessionStatus;
  notes: string | null;
  /** The mentor's record of the session; null for the mentee. */
  rating: number | null;
  /** The mentor's record of the session; null for the mentee. */
  feedback: string | null;
  actionItems: string[] | null;
  startedAt: string | null;
  completedAt: string | null;
  cancelledAt: string | null;
  cancellation: SessionCancellation | null;
  location: Place | null;
  earlyStartMinutes: number | null;
  joinUrl: string | null;
  createdAt: string;
  updatedAt: string;
}

export interface CancellationQuote {
  sessionId: string;
  allowed: boolean;
  cancelledBy: "mentee" | "mentor" | "operator" | "system";
  late: boolean;
  fee: Money;
  refund: Money;
  freeUntil: string | null;
  creditReturned: boolean | null;
  /** The end of the bundle with the credit; null without an end, or without a returned credit. */
  creditValidTo: string | null;
  policy: CancellationPolicy | null;
}

/** How often a booking is repeated: by `count`, the first included, or `until` a date. */
export interface Recurrence {
  count?: number;
  until?: string;
  everyWeeks?: number;
  onConflict?: "fail" | "skip";
}

export interface Series {
  id: string;
  made: { startTime: string; bookingId: string; sessionId: string | null }[];
  skipped: { startTime: string; code: string; message: string }[];
}

/** The answer of every route that books, whichever of its forms it had. */
export interface Booked {
  booking: Booking;
  session: Session | null;
  series?: Series;
}

/** A booking that several mentees share, with the caller's own place in it. */
export interface GroupSession extends Booking {
  capacity: number;
  seatsTaken: number;
  /** Kept for people on the waiting list. */
  seatsOffered: number;
  full: boolean;
  /** Null: participants cannot leave. */
  cancellationPolicy: CancellationPolicy | null;
  cancelledAt: string | null;
  joined: boolean;
  waitlistPosition: number | null;
}

/** The caller's place in the waiting list of a group; `offer` is a place that is kept for them. */
export interface WaitlistEntry {
  position: number;
  offer: { expiresAt: string } | null;
}

/** What became of the bookings of a series; ids are those of bookings. */
export interface CancelledSeries {
  cancelled: string[];
  kept: { bookingId: string; code: string }[];
}

/** A session that the caller may review until the permit expires. */
export interface ReviewPermit {
  sessionId: string;
  mentorProfileId: string;
  unlockedAt: string;
  expiresAt: string;
}

export interface Review {
  id: string;
  /** Null unless the caller is a party to the session. */
  sessionId: string | null;
  reviewer: string;
  rating: number;
  comment: string | null;
  answer: string | null;
  answeredAt: string | null;
  /** To its author alone: an operator has hidden it from everyone else. */
  hidden: boolean;
  hiddenReason: string | null;
  createdAt: string;
}

export interface Page<T> {
  items: T[];
  nextCursor: string | null;
}

export interface ErrorBody {
  statusCode: number;
  error: string;
  message: string;
  code: string;
  details?: Record<string, string[]>;
  requestId: string | null;
}
