/** Checked by tsc alone: what pages may write, and what they may not. */

import {
  RealtimeSessionBooking,
  UnifiedSessionBooking,
  type Session,
  type UnifiedSessionBookingProps,
} from "@tutelage/react";
import type { LitElement } from "lit";
import type { SessionBooking } from "../../src/element/element.js";
import type { SessionBookingEvents } from "../../src/core/events.js";
import { EVENTS } from "../src/props.js";

type Public = Omit<SessionBooking, keyof LitElement | "reload">;

/** Every property of the element is a prop (`src/props.ts`), and what the prop takes, the property takes as well. */
export function isComplete(element: Public, props: UnifiedSessionBookingProps): Required<Public> {
  const all: { [Name in keyof Public]-?: Exclude<UnifiedSessionBookingProps[Name], undefined> | undefined } =
    props as Required<UnifiedSessionBookingProps>;
  const taken: Partial<Public> = all;
  return { ...element, ...taken } as Required<Public>;
}

/** Every event of the element has a handler. */
export const handled: keyof SessionBookingEvents extends (typeof EVENTS)[keyof typeof EVENTS] ? true : never = true;

export const found = (): string | null | undefined => document.querySelector("session-booking")?.mentor;

export const pages = [
  <UnifiedSessionBooking
    variant="realtime"
    showAvailabilityStatus={true}
    showConnectionStatus={true}
    enableOptimisticUpdates={true}
    onSuccess={(session: Session) => session.startTime}
    onBooked={(event) => event.detail.session.id}
    onRequested={(event) => event.detail.booking.id}
    onFailed={(event) => event.detail.error.code}
  />,
  <UnifiedSessionBooking
    existingSessionId="s1"
    sessionStatus="scheduled"
    showSessionActions={true}
    sessionActions={{
      onStart: async (id) => id.length,
      onComplete: async (id, { notes, rating, feedback, actionItems }) => [id, notes, rating, feedback, actionItems],
      onCancel: async (id, reason) => `${id}: ${reason}`,
    }}
  />,
  <UnifiedSessionBooking mentor="m1" title="Book" role="region" tabIndex={0} data-page="1" onClick={(event) => event.currentTarget.reload()} />,
  // @ts-expect-error: there is no such variant
  <UnifiedSessionBooking variant="plain" />,
  // @ts-expect-error: its variant is its name
  <RealtimeSessionBooking variant="basic" />,
  // @ts-expect-error: a flag is no text
  <UnifiedSessionBooking showAvailabilityStatus="yes" />,
  // @ts-expect-error: what is booked has a session
  <UnifiedSessionBooking onBooked={(event) => event.detail.nothing} />,
];
