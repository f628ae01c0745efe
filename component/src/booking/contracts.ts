/**
 * The seam between the element and its lazy parts.
 *
 * A part is a module that exports `attach(context)`. The element imports it when it is first needed, keeps what
 * `attach` returns, and calls it from its own `render`. What a part shows of its own state, it keeps in a `Store` with
 * a `StoreController` on `context.element`, so that the element renders again when it changes.
 */

import type { LitElement, TemplateResult, nothing } from "lit";
import type { Client } from "../api/client.js";
import type { ApiError } from "../api/errors.js";
import type { Recurrence, Series, Session, Slot } from "../api/types.js";
import type { BookingFlow } from "./flow.js";
import type { BookingState } from "./state.js";
import type { Saved } from "./saved.js";
import type { SessionBookingEvents } from "../core/events.js";
import type { SessionActions, Variant } from "../core/page.js";
import type { Groups } from "../parts/groups/groups.js";
import type { Store } from "../core/store.js";
import type { Telemetry } from "../core/telemetry.js";
import type { Words } from "../i18n/language.js";

export type { CancellationType, Completion, SessionActions, Variant } from "../core/page.js";

export type Rendered = TemplateResult | typeof nothing;

/** What the page gave to the element; `context.options` has the present ones at each use. */
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
  /** Where people sign in. */
  readonly signInUrl: string | null;
  /** A BCP 47 tag for Intl. */
  readonly locale: string;
}

export interface PartContext {
  /** The host of controllers; `shadowRoot` has what is rendered. */
  readonly element: LitElement;
  readonly client: Client;
  /** Aborted when the element has left the page, or starts anew. */
  readonly signal: AbortSignal;
  readonly store: Store<BookingState>;
  readonly flow: BookingFlow;
  readonly telemetry: Telemetry;
  readonly options: Options;
  /** The basic words; a part's own stand in its folder. */
  readonly words: Words;
  /** Dispatches one of the element's events, bubbling and composed. */
  emit<K extends keyof SessionBookingEvents>(name: K, detail: SessionBookingEvents[K]): void;
  /** Says a sentence to screen readers (a polite live region that is always there). */
  announce(sentence: string): void;
  /** The realtime part, once it is there: the session view follows changes by it. */
  readonly realtime: RealtimePart | null;
  /** The enhanced part, once it is there: the stream of sessions tells it of changes. */
  readonly enhanced: EnhancedPart | null;
}

/** `src/session/enhanced.ts`: also imported by the basic variant where a session or the availability is to be shown. */
export interface EnhancedPart {
  /** The group sessions that are shown, once they can be. */
  readonly groups: Groups | null;
  /** Whether the mentor can be booked, as a line of the coach card. */
  renderAvailability(): Rendered;
  /** Times of the chosen day that cannot be booked, with the reasons; below the free slots. */
  renderRefused(day: string): Rendered;
  /** Group sessions with free places; below the calendar. */
  renderGroups(): Rendered;
  /** The fields of a series, in the form. */
  renderSeriesFields(): Rendered;
  /** What the fields of a series say; null for a single session. Goes into the request's body. */
  recurrence(): Recurrence | null;
  /** How many sessions they make, as far as is known: dates that are not free are left out. */
  sessions(): number;
  /** Whether the fields of a series have something wrong, which they say themselves. */
  hasMistake(): boolean;
  /** What became of a series, in the result. */
  renderSeries(series: Series): Rendered;
  /** The whole session view. */
  renderSession(sessionId: string): Rendered;
  /** A session has changed: by a stream, or by what the element did. */
  sessionChanged(session: Session): void;
  /** The element has left the page, or its API or person has changed. */
  dispose(): void;
}

/** `src/realtime/realtime.ts`: imported by the realtime variant, and where the state of the connection is to be shown. */
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
  /** What can be done with the booking that waits, in the result. */
  renderQueued(): Rendered;
  dispose(): void;
}

export type AttachEnhanced = (context: PartContext) => EnhancedPart;
export type AttachRealtime = (context: PartContext) => RealtimePart;
