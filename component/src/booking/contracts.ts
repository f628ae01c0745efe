/** Contracts between the element, the booking and the lazy parts: types alone. */

import type { LitElement, TemplateResult, nothing } from "lit";
import type { Client } from "../api/client.js";
import type { ApiError } from "../api/errors.js";
import type { Answers, Booking, GroupSession, Payment, Question, Series, Session, Slot } from "../api/types.js";
import type { SessionBookingEvents } from "../core/events.js";
import type { SessionActions, Variant } from "../core/page.js";
import type { Store } from "../core/store.js";
import type { Telemetry } from "../core/telemetry.js";
import type { Shown, Words } from "../i18n/language.js";
import type { Saved, SentRequest } from "./saved.js";
import type { BookingState, FieldErrors, Form, Offer, PaymentChoice, Submission } from "./state.js";

export type Rendered = TemplateResult | typeof nothing;

/** Options that the page gave to the element; `context.options` has the present ones at each use. */
export interface Options {
  readonly variant: Variant;
  readonly mentorId: string | null;
  readonly listingId: string | null;
  readonly courseId: string | null;
  readonly sessionId: string | null;
  readonly sessionStatus: string | null;
  readonly showAvailabilityStatus: boolean;
  readonly showConnectionStatus: boolean;
  readonly showSessionActions: boolean;
  readonly optimistic: boolean;
  readonly sessionActions: SessionActions | null;
  /** The streams' address where it is another one than the API's. */
  readonly streamsUrl: string | null;
  /** The page's own way to the payment page, and its address. */
  readonly onPay: ((payment: Payment) => unknown) | null;
  readonly payUrl: string | null;
  /** Where people sign in. */
  readonly signInUrl: string | null;
  /** A BCP 47 tag for Intl. */
  readonly locale: string;
}

/** The element, as the flow needs it. */
export interface FlowContext {
  readonly client: Client;
  /** Aborted when the element has left the page, or restarts: then everything of this start ends. */
  readonly signal: AbortSignal;
  readonly store: Store<BookingState>;
  readonly telemetry: Telemetry;
  readonly options: Options;
  /** The basic words; a part's own stand in its folder. */
  readonly words: Words;
  readonly lazy: LazyParts;
  /** The realtime part, once it is there: the session view follows changes by it. */
  readonly realtime: RealtimePart | null;
  /** The enhanced part, once it is there: the stream of sessions tells it of changes. */
  readonly enhanced: EnhancedPart | null;
  /** The part of the form, once it is there. */
  readonly form: FormPart | null;
  /** The part of courses, once one is booked. */
  course: CoursePart | null;
  /** Dispatches one of the element's events, bubbling and composed. */
  emit<K extends keyof SessionBookingEvents>(name: K, detail: SessionBookingEvents[K]): void;
}

/** The context of lazy parts. */
export interface PartContext extends FlowContext {
  /** Rendered again when a store of the part has changed; `shadowRoot` has what is rendered. */
  readonly element: LitElement;
  readonly flow: BookingActions;
  /** Says a sentence to screen readers (a polite live region that is always there). */
  announce(sentence: string): void;
}

/** Given to every view of the booking. */
export interface View extends Shown {
  readonly state: Readonly<BookingState>;
  readonly flow: BookingActions;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The day of the month that has the focus. */
  readonly focusedDay?: string | undefined;
  readonly course: CoursePart | null;
  readonly enhanced: EnhancedPart | null;
  readonly realtime: RealtimePart | null;
  readonly signInUrl: string | null;
}

/** The booking flow: actions of people, and changes that parts tell. */
export interface BookingActions {
  /** Follows the booking that is pending or requested, once the part is loaded. */
  readonly following: FollowingPart | null;
  load(): Promise<void>;
  /** Reads the slots again: after a change that is known only as such. */
  reloadSlots(): Promise<void>;
  chooseListing(id: string): void;
  chooseDuration(durationMinutes: number): void;
  /** Of a course: one mentor's slots, or all (null). */
  chooseMentor(mentorId: string | null): void;
  /** Of a course: whom of those who are free at the chosen time. */
  chooseSlotMentor(mentorId: string): void;
  chooseZone(zone: string): void;
  showMonth(step: 1 | -1): void;
  chooseDay(day: string): void;
  /** Reads further months until one has free slots. */
  findNext(): void;
  chooseSlot(slot: Slot): void;
  /** Back to the calendar: the time is given back, the form's words are kept. */
  leaveForm(): void;
  /** Asks for the chosen time again, after its hold has ended. */
  holdAgain(): void;
  fillIn(form: Partial<Form>): void;
  choosePayment(payment: PaymentChoice): void;
  /** A person wants to sign in: the page may open its own sign-in, each time. */
  signIn(): void;
  /** Sends the form. A second call while it is being sent does nothing. */
  submit(): Promise<void>;
  /** From a result to the calendar, to book another time. */
  bookAnother(): void;
  /** Shows a booking that waits for a connection, as it was left. */
  restoreQueued(saved: Saved): void;
  /** Sends the booking that waits: the same bytes with the same Idempotency-Key. `isAsked`: a person wants it now. */
  sendQueued(isAsked?: boolean): Promise<void>;
  /** Back to the form, with the words that were filled in. */
  withdrawQueued(): void;
  /** The booking that waits is kept elsewhere: a reload of this tab must not send it, too. */
  forgetSaved(): void;
  /**
   * The chosen time was taken meanwhile: back to the other times, with the reason. Once it is being sent, the answer
   * decides: a hold that is asked for too late finds the person's own booking.
   */
  slotLost(error: ApiError): void;
  /** A session has changed: the one of the booking which is pending or requested becomes the result. */
  sessionChanged(session: Session): void;
  /** The booking that was requested: decided, withdrawn or expired. */
  bookingChanged(booking: Booking): void;
}

/** Imports of what the booking needs later. */
export interface LazyParts {
  form(): Promise<FormPart>;
  course(): Promise<CoursePart>;
  following(): Promise<FollowingModule>;
  moving(): Promise<MovingModule>;
}

/** `parts/moving`: imported where a session is moved, or somebody has proposed it. */
interface MovingModule {
  Moving: new (context: PartContext) => MovingPart;
}

export interface MovingPart {
  /** The dialog is opened again: it begins with the times that are free now. */
  restart(): void;
  /** The choice of another time. */
  renderDialog(moved: MovedSession): TemplateResult;
  /** The open proposal, with its answers. */
  renderProposal(moved: MovedSession): Rendered;
}

/** A session that is shown, as the part that moves it needs it. */
export interface MovedSession {
  session: Session;
  booking: Booking | null;
  role: "mentee" | "mentor" | "operator" | null;
  /** Whether the visitor moves it without the other party. */
  isAtOnce: boolean;
  mayAct: boolean;
  isBusy: boolean;
  /** Why the last thing could not be done. */
  error: Rendered;
  /** Sends a change to a path below the session's, and says that it is done; or gives why it was refused. */
  send(path: string, body: object, done: string): Promise<ApiError | null>;
  close(): void;
}

/** `parts/form`: imported as soon as free times are shown. */
export interface FormPart {
  /** What is being booked, and the fields that go with it. */
  renderForm(view: View): TemplateResult;
  /** The outcome of what was sent. */
  renderResult(view: View): TemplateResult;
  renderQuestions(shown: Shown, asked: Asked): Rendered;
  missingAnswers(shown: Shown, questions: readonly Question[], answers: Answers): FieldErrors | null;
  answersIn(questions: readonly Question[], answers: Answers): object;
}

/** Questions with what was entered up to now. */
export interface Asked {
  questions: readonly Question[];
  answers: Answers;
  errors: FieldErrors;
  /** Tells apart the fields of several forms. */
  prefix: string;
  answer(id: string, value: string): void;
}

/** `parts/course`: imported where a course is booked. */
export interface CoursePart {
  /** @throws ApiError there is no such course. */
  loadCourse(client: Client, options: Options, signal: AbortSignal): Promise<Pick<BookingState, "course" | "offers" | "products">>;
  /** The durations in which a course can be booked, the shortest first. */
  durationsOf(offers: readonly Offer[]): number[];
  /** Looks up the person's bundles, and chooses what pays: what is named, or was chosen before; credits at first. */
  proposePayment(context: Pick<FlowContext, "client" | "store">, key: string | null, signal: AbortSignal): Promise<void>;
  /** The fields of a request that name the course and the payment. */
  paymentOf(state: BookingState): object;
  /** The price in sessions of a bundle. */
  creditsText(view: View, sessions: number): string;
  courseWords(shown: Shown): { lateCredit: string };
  /** The choice of a duration and of a mentor, above the calendar. */
  renderChoice(view: View): TemplateResult;
  /** The fields of the form: with whom, and what pays. */
  renderFields(view: View): TemplateResult;
}

/** `parts/following`: imported where a booking has no session yet, or one without an answer is looked for. */
export interface FollowingModule {
  Following: new (context: FlowContext, followed: Followed) => FollowingPart;
  Paying: new (context: FlowContext, look: () => unknown) => PayingPart;
  findBooking(client: Client, request: SentRequest, signal: AbortSignal): Promise<Booking | null>;
}

/** What is due until when, and the way to the payment page. */
export interface PayingPart {
  readonly store: Pick<Store<object>, "subscribe">;
  render(view: Shown & { zone: string }, payment: Payment, others?: unknown): TemplateResult;
}

export interface FollowingPart {
  /**
   * Looks at the booking that is pending or requested until its session exists, or it is closed.
   *
   * @param bookingId the booking which was left off before a reload; null for the one that is shown.
   */
  follow(bookingId?: string | null): Promise<void>;
  /** The actions on the booking; `others` are the actions of every result. */
  render(view: View, others: TemplateResult): Rendered;
  /** The result's hint while a session is being created, and once it was paid. */
  hint(submission: Submission, locale: string): string | undefined;
  /** The result of a booking that awaits its payment, or that was declined, withdrawn, not decided or not paid in time. */
  outcome(booking: Booking, locale: string): Outcome;
  stop(): void;
}

/** Whom the following tells what has become of the booking. */
export interface Followed {
  /** The saved booking is of no more use. */
  forget(): void;
  bookingChanged(booking: Booking): void;
  sessionChanged(session: Session): void;
  report(error: unknown, during: "session" | "cancel"): void;
}

export interface Outcome {
  tone: "success" | "waiting" | "closed";
  title: string;
  hint?: string | undefined;
}

/** `element/enhanced.ts`: also imported by the basic variant where a session or the availability is to be shown. */
export interface EnhancedPart {
  /** Null until they are there, and in the basic variant. */
  readonly extras: Extras | null;
  /** Whether the mentor can be booked, as a line of the coach card. */
  renderAvailability(): Rendered;
  /** Group sessions with free places; below the calendar. */
  renderGroups(): Rendered;
  /** The whole session view. */
  renderSession(sessionId: string): Rendered;
  /** A session has changed: by a stream, or by what the element did. */
  sessionChanged(session: Session): void;
}

/** `element/extras.ts`: what is added to booking. */
export interface Extras {
  readonly groups: GroupsPart;
  readonly series: SeriesPart;
  /** Times of the chosen day that cannot be booked, with the reasons; below the free slots. */
  readonly refused: { render(day: string): Rendered };
}

export interface SeriesPart {
  /** The fields of a series, in the form. */
  render(): Rendered;
  /** What the request has of the series; nothing for a single session. */
  body(): object;
  /** How many sessions they make, as far as is known: dates that are not free are left out. */
  sessions(): number;
  /** Whether the fields have something wrong, which they say themselves. */
  hasMistake(): boolean;
  /** The dates of a booked series, and those left out, in the result. */
  renderResult(series: Series): Rendered;
}

/** Null until they are read; empty where there are none. */
export interface ListedGroups {
  groups: GroupSession[] | null;
}

/** The group sessions, as the live part follows them. */
export interface GroupsPart {
  /** Whether they were read, or tried to be: to visitors, there are none. */
  readonly isAsked: boolean;
  readonly store: {
    readonly state: Readonly<ListedGroups & { busy: { id: string } | null }>;
    update(change: (state: Readonly<ListedGroups>) => ListedGroups): void;
  };
  words(): { groups: { stopped: string; kept: string } };
  readAgain(): void;
}

/** `parts/realtime`: imported by the realtime variant, and where the state of the connection is to be shown. */
export interface RealtimePart {
  /** The state of the connection. */
  renderConnection(): Rendered;
  /** A mark on a slot that has just changed, or nothing. */
  renderSlotMark(slot: Slot): Rendered;
  /** Whether a slot is still shown, but was just taken: it cannot be chosen. */
  isTaken(slot: Slot): boolean;
  /** Whether sessions are followed by a stream; polling rests meanwhile. */
  readonly followsSessions: boolean;
  /**
   * Takes over a booking that could not be sent for want of a connection. It later calls `flow.sendQueued()`, which
   * sends the same bytes with the same Idempotency-Key. False: it does not, and the form shows the failure.
   *
   * @param wasSent whether it may have reached the API all the same.
   */
  queue(booking: Saved, error: ApiError, wasSent: boolean): boolean;
  /** The actions on the booking that waits, in the result. */
  renderQueued(): Rendered;
}

/** `parts/directory`: imported where the page names no one to book. */
export interface DirectoryPart {
  render(view: View): TemplateResult;
  /** The way back from a mentor who was chosen here. */
  renderBack(view: View): TemplateResult;
}

