/** The props of the components, and how each reaches the element. */

import type { HTMLAttributes } from "react";
import type { OwnWords, Payment, Session, SessionActions, SessionBookingEvents, TokenProvider, Variant } from "../../src/public/index.js";

/** Props that the element is given; the element's own documentation describes each. */
export interface BookingOptions {
  variant?: Variant;
  mentor?: string | null;
  listing?: string | null;
  course?: string | null;
  session?: string | null;
  existingSessionId?: string | null;
  sessionStatus?: string | null;
  tokenUrl?: string | null;
  publishableKey?: string | null;
  signInUrl?: string | null;
  payUrl?: string | null;
  /** The API's address, from which the element's script is loaded; without it, the page has the script tag. */
  api?: string | null;
  streamsUrl?: string | null;
  timeZone?: string | null;
  theme?: "light" | "dark" | "auto" | null;
  showAvailabilityStatus?: boolean;
  showConnectionStatus?: boolean;
  enableOptimisticUpdates?: boolean;
  showSessionActions?: boolean;
  /** A token, or a function that gets one; the function of the latest render is called. */
  token?: TokenProvider | null;
  sessionActions?: SessionActions | null;
  onSuccess?: ((session: Session) => void) | null;
  onPay?: ((payment: Payment) => unknown) | null;
  words?: OwnWords | null;
}

type Handler<Name extends keyof SessionBookingEvents> = (event: CustomEvent<SessionBookingEvents[Name]>) => void;

/** Handlers of the element's events. */
export interface BookingHandlers {
  onBooked?: Handler<"booked">;
  onRequested?: Handler<"requested">;
  onUnpaid?: Handler<"unpaid">;
  onRescheduled?: Handler<"rescheduled">;
  onStarted?: Handler<"started">;
  onCompleted?: Handler<"completed">;
  onCancelled?: Handler<"cancelled">;
  onFailed?: Handler<"failed">;
  onSignIn?: Handler<"signin">;
}

/** Props of every element; its children are shown until the element's script is there. */
type ElementProps = Omit<HTMLAttributes<SessionBookingElement>, keyof BookingOptions | keyof BookingHandlers | "dir">;

export interface UnifiedSessionBookingProps extends BookingOptions, BookingHandlers, ElementProps {
  dir?: "ltr" | "rtl" | "auto";
  /** The element's script could not be loaded; without a handler, the error is reported to the page. */
  onLoadError?: (error: Error) => void;
}

export type VariantProps = Omit<UnifiedSessionBookingProps, "variant">;

/** The element, as a `ref` gets it. */
export type SessionBookingElement = HTMLElement & BookingOptions & { reload(): void };

declare global {
  interface HTMLElementTagNameMap {
    "session-booking": SessionBookingElement;
  }
}

/** Options that the server can write as attributes. */
export const ATTRIBUTES = {
  variant: "variant",
  mentor: "mentor",
  listing: "listing",
  course: "course",
  session: "session",
  existingSessionId: "existing-session-id",
  sessionStatus: "session-status",
  tokenUrl: "token-url",
  publishableKey: "publishable-key",
  signInUrl: "sign-in-url",
  payUrl: "pay-url",
  api: "api",
  streamsUrl: "streams-url",
  timeZone: "time-zone",
  theme: "theme",
  showAvailabilityStatus: "show-availability-status",
  showConnectionStatus: "show-connection-status",
  enableOptimisticUpdates: "enable-optimistic-updates",
  showSessionActions: "show-session-actions",
} as const satisfies Partial<Record<keyof BookingOptions, string>>;

/** The event of each handler. */
export const EVENTS = {
  onBooked: "booked",
  onRequested: "requested",
  onUnpaid: "unpaid",
  onRescheduled: "rescheduled",
  onStarted: "started",
  onCompleted: "completed",
  onCancelled: "cancelled",
  onFailed: "failed",
  onSignIn: "signin",
} as const satisfies Record<keyof BookingHandlers, keyof SessionBookingEvents>;
