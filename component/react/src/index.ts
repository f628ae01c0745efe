/** `@tutelage/react`: the booking component for React 18 and later. */

export { EnhancedSessionBooking, RealtimeSessionBooking, SessionBookingForm, UnifiedSessionBooking } from "./booking.js";
export { loadElement } from "./load.js";
export type { SessionBookingElement, UnifiedSessionBookingProps, VariantProps } from "./props.js";
export type {
  ApiError,
  Booked,
  Booking,
  CancellationType,
  Completion,
  Payment,
  Session,
  SessionActions,
  SessionBookingEvents,
  SessionStatus,
  TokenProvider,
  Variant,
  Words,
} from "../../src/public/index.js";
