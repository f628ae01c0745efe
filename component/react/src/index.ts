/** `@tutelage/react`: the booking component for React 18 and later. */

export { EnhancedSessionBooking, RealtimeSessionBooking, SessionBookingForm, UnifiedSessionBooking } from "./booking.js";
export { loadElement } from "./load.js";
export type { SessionBookingElement, UnifiedSessionBookingProps, VariantProps } from "./props.js";
export type { ApiError } from "../../src/api/errors.js";
export type { TokenProvider } from "../../src/api/token.js";
export type { Booked, Booking, Session, SessionStatus } from "../../src/api/types.js";
export type { SessionBookingEvents } from "../../src/core/events.js";
export type { CancellationType, Completion, SessionActions, Variant } from "../../src/core/page.js";
export type { Words } from "../../src/i18n/en.js";
