/** The session that is shown, and what follows from it: who is looking, what they may do and when, what happened. */

import type { Waiting } from "../../api/client.js";
import type { ApiError } from "../../api/errors.js";
import type { MovingPart } from "../../booking/contracts.js";
import type { Booking, CancellationQuote, CancellationType, Money, Review, ReviewPermit, Session, SessionStatus } from "../../api/types.js";

export type Role = "mentee" | "mentor" | "operator";
export type Absent = "mentee" | "mentor";
export type Action = "start" | "complete" | "move" | "cancel" | "leave" | "no-show" | "review" | "answer" | "series";
export type DialogName = Exclude<Action, "start" | "leave">;

/** The cancellation of the rest of a series: its dates, and the sum of their quotes. */
export interface SeriesPlan {
  items: { startTime: string; isDraft: boolean }[];
  fee: Money | null;
  refund: Money | null;
  /** Credits that go back to a bundle. */
  credits: number;
}

export interface SessionState {
  /** `preparing`: accepted, and being created. `left`: the visitor has given up a place in a group. */
  phase: "loading" | "preparing" | "ready" | "failed" | "left";
  session: Session | null;
  /** The ETag of `session`. */
  tag: string | null;
  booking: Booking | null;
  /** The cost of cancelling; the visitor's role follows from it. */
  quote: CancellationQuote | null;
  permit: ReviewPermit | null;
  /** Of this session: the visitor's own; all of them to mentors. */
  reviews: readonly Review[];
  plan: SeriesPlan | null;
  /** The part that moves the session, once it is there. */
  moving: MovingPart | null;
  dialog: DialogName | null;
  /** The review that the dialog answers. */
  answering: Review | null;
  /** The action that is being done. */
  doing: Action | null;
  /** Why it is not done yet. */
  waiting: Waiting | null;
  /** Why the last thing could not be done, or the session not be loaded. */
  error: ApiError | null;
  /** Reasons by the field of the dialog that has the value. */
  fieldErrors: Readonly<Record<string, string[]>>;
  /** The last action, or a change by the other side. */
  notice: string | null;
  /** Milliseconds since the epoch, of the last change of what is possible. */
  now: number;
}

export function initialSessionState(now = Date.now()): SessionState {
  return {
    phase: "loading",
    session: null,
    tag: null,
    booking: null,
    quote: null,
    permit: null,
    reviews: [],
    plan: null,
    moving: null,
    dialog: null,
    answering: null,
    doing: null,
    waiting: null,
    error: null,
    fieldErrors: {},
    notice: null,
    now,
  };
}

/** The visitor's role; null until it is known. */
export function roleOf(state: SessionState): Role | null {
  const by = state.quote?.cancelledBy;
  return by && by !== "system" ? by : null;
}

/** The types of cancellation that a visitor may give, the usual one first; the API knows the one of an operator. */
export function cancellationTypes(role: Role | null): readonly CancellationType[] {
  if (role !== "mentee" && role !== "mentor") return [];
  return [role === "mentee" ? "client_request" : "coach_request", "emergency", "other"];
}

export function isGroup({ session, booking }: Pick<SessionState, "session" | "booking">): boolean {
  return booking ? booking.kind === "group" : session !== null && session.menteeUserId === null;
}

/** From when on a session can be started and joined, in milliseconds since the epoch; -Infinity for any time. */
export function opensAt(session: Pick<Session, "startTime" | "earlyStartMinutes">): number {
  if (session.earlyStartMinutes === null) return -Infinity;
  return Date.parse(session.startTime) - session.earlyStartMinutes * 60_000;
}

const NO_SHOW_AFTER_MS = 15 * 60_000;

/** From when on it can be reported that a party did not come, in milliseconds since the epoch. */
function noShowFrom({ startTime }: Pick<Session, "startTime">): number {
  return Date.parse(startTime) + NO_SHOW_AFTER_MS;
}

/** The actions that are possible now. `startsLater`: it can be started, and the time for it has not come. */
export interface Possible {
  join: string | null;
  start: boolean;
  startsLater: boolean;
  complete: boolean;
  move: boolean;
  cancel: boolean;
  leave: boolean;
  /** The parties whose absence may be reported; empty for none. */
  noShow: readonly Absent[];
  review: boolean;
  answer: boolean;
  cancelSeries: boolean;
}

export function possible(state: SessionState): Possible {
  const { session, now } = state;
  const role = roleOf(state);
  const status = session?.status;
  const isParty = role === "mentee" || role === "mentor";
  const isOpen = session !== null && now >= opensAt(session);
  const hasLeave = role === "mentee" && isGroup(state);
  const mayCancel = status === "scheduled" && state.quote?.allowed === true;
  return {
    join: session?.joinUrl && isWebAddress(session.joinUrl) ? session.joinUrl : null,
    start: status === "scheduled" && isParty && isOpen,
    startsLater: status === "scheduled" && isParty && !isOpen,
    complete: status === "in_progress" && (role === "mentor" || role === "operator"),
    move: status === "scheduled" && mayMove(state),
    cancel: mayCancel && !hasLeave,
    leave: mayCancel && hasLeave,
    noShow: status === "scheduled" && now >= noShowFrom(session as Session) ? absentFor(state) : [],
    review: status === "completed" && state.permit !== null && !state.reviews.length,
    answer: role === "mentor" && state.reviews.some((review) => review.answeredAt === null),
    cancelSeries: Boolean(state.booking?.seriesId) && role !== null && status === "scheduled",
  };
}

/** Whether the visitor moves the session without the other party; a group has none. */
export function movesAtOnce(state: SessionState): boolean {
  return roleOf(state) === "operator" || state.booking?.reschedule?.mode === "free" || isGroup(state);
}

function mayMove(state: SessionState): boolean {
  const { session, booking, now } = state;
  const role = roleOf(state);
  const policy = booking?.reschedule;
  if (!session || !policy || role === null) return false;
  if (role === "operator") return true;
  if (policy.mode === "off" || (session.rescheduleCount ?? 0) >= policy.maxTimes) return false;
  const window = movesAtOnce(state) ? policy.windowHours * 3_600_000 : 0;
  const isOther = session.proposal && session.proposal.proposedBy !== role;
  return now < Date.parse(session.startTime) - window && !isOther && !(isGroup(state) && role === "mentee");
}

/** Whom a visitor may report: the other party. In a group, mentees' absence is attendance instead. */
function absentFor(state: SessionState): readonly Absent[] {
  const all = isGroup(state) ? (["mentor"] as const) : (["mentee", "mentor"] as const);
  return roleOf(state) === null ? [] : all.filter((who) => who !== roleOf(state));
}

/** The debt of a mentee who did not come, by the agreed share of the price; null: not known. */
export function noShowFee({ booking, quote }: Pick<SessionState, "booking" | "quote">): { percent: number; fee: Money } | null {
  if (!booking || !quote) return null;
  const percent = quote.noShowFeePercent;
  // Half up to the minor unit, as the API does it.
  return { percent, fee: { ...booking.price, amount: Math.floor((booking.price.amount * percent + 50) / 100) } };
}

/** Whether an address may stand in a link: whatever runs scripts may not. */
export function isWebAddress(address: string): boolean {
  return /^https?:\/\//i.test(address);
}

const SOON_MS = 60_000;
/** Before the start: from then on the other side may start it. */
const NEAR_MS = 30 * 60_000;
const LONGEST_TIMER_MS = 3_600_000;
/** How long after its end a session that goes on is still looked at. */
const LATE_MS = 6 * 3_600_000;

/**
 * When the session is to be read again, in milliseconds from now; null for never.
 *
 * At the moments from which more can be done with it: it can be joined, and its link appears; it can be reported who
 * did not come; cancelling is no longer free; a proposal of another time expires. And each minute while the other side may start or complete it, unless a
 * stream tells.
 */
export function nextLook(session: Session, now: number, isFollowed: boolean, freeUntil?: string | null): number | null {
  const { status } = session;
  if (status === "completed" || status === "cancelled") return null;
  const planned = status === "scheduled" ? [noShowFrom(session), Date.parse(freeUntil ?? "")] : [];
  const asked = session.proposal?.status === "open" ? [Date.parse(session.proposal.expiresAt)] : [];
  const moments = [opensAt(session), ...planned, ...asked];
  const wait = Math.min(...moments.map((moment) => (moment > now ? moment - now + 500 : Infinity)));
  const near = Date.parse(session.startTime) - NEAR_MS;
  const isOver = now > Date.parse(session.endTime) + LATE_MS;
  const poll = isFollowed || isOver ? Infinity : status === "in_progress" || now > near ? SOON_MS : near - now;
  const next = Math.min(wait, poll);
  return next === Infinity ? null : Math.min(next, LONGEST_TIMER_MS);
}

export interface HistoryEntry {
  at: string;
  kind: "requested" | "booked" | "started" | "completed" | "cancelled" | "waived" | "reviewed" | "answered";
}

/** The session's history, in the order of its life. A booking that was accepted at once has no request of its own. */
export function historyOf({ session, booking, reviews }: Pick<SessionState, "session" | "booking" | "reviews">): HistoryEntry[] {
  if (!session) return [];
  const wasRequested = booking !== null && Date.parse(session.createdAt) - Date.parse(booking.createdAt) > SOON_MS;
  const entries: [string | null | undefined, HistoryEntry["kind"]][] = [
    [wasRequested ? booking.createdAt : null, "requested"],
    [session.createdAt, "booked"],
    [session.startedAt, "started"],
    [session.completedAt, "completed"],
    [session.cancelledAt, "cancelled"],
    [session.cancellation?.waivedAt, "waived"],
  ];
  for (const { createdAt, answeredAt } of reviews) entries.push([createdAt, "reviewed"], [answeredAt, "answered"]);
  const made = entries.flatMap(([at, kind]) => (at ? [{ at, kind }] : []));
  // Entries of the same moment stay in the order above.
  return made.sort((one, other) => Date.parse(one.at) - Date.parse(other.at));
}

/** Whether no one ever pays for cancelling: nothing was paid, or no fee is due. */
export function isAlwaysFree({ allowed, fee, refund, creditReturned, policy }: CancellationQuote): boolean {
  const isPaid = fee.amount > 0 || refund.amount > 0 || creditReturned !== null;
  return allowed && (!isPaid || policy?.lateFeePercent === 0);
}

/** Whether two quotes cost the same. */
export function costsTheSame(one: CancellationQuote, other: CancellationQuote): boolean {
  return (
    one.allowed === other.allowed &&
    one.fee.amount === other.fee.amount &&
    one.refund.amount === other.refund.amount &&
    one.creditReturned === other.creditReturned
  );
}

/** The status of the session after an action. */
export const STATUS_AFTER: Partial<Record<Action, SessionStatus>> = {
  start: "in_progress",
  complete: "completed",
  cancel: "cancelled",
  "no-show": "cancelled",
};

/** The lines of a text that have something in them. */
export function linesOf(text: string): string[] {
  return text.split("\n").flatMap((line) => line.trim() || []);
}

/** The API's reasons by the dialog's fields, as `say` has them; of a list, each with the number of its line. */
export function fieldErrorsOf(
  details: Readonly<Record<string, string[]>>,
  line: (number: string, reason: string) => string,
  say: (reason: string) => string,
): Record<string, string[]> {
  const errors: Record<string, string[]> = {};
  for (const [name, reasons] of Object.entries(details)) {
    // Other details than reasons by field: an id, the reason of a refusal, a price.
    if (!Array.isArray(reasons)) continue;
    const [field = "", index] = name.split(".");
    const shown = reasons.map((each) => (index === undefined ? say(each) : line(String(Number(index) + 1), say(each))));
    errors[field] = [...(errors[field] ?? []), ...shown];
  }
  return errors;
}
