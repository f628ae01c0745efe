/** The component's interface to pages and the React package: types alone. */

export type { ApiError } from "../api/errors.js";
export type { TokenProvider } from "../api/token.js";
export type { Booked, Booking, CancellationType, Payment, Session, SessionStatus } from "../api/types.js";
export type { SessionBookingEvents } from "../core/events.js";
export type { Completion, SessionActions, Variant } from "../core/page.js";
export type { Words } from "../i18n/en.js";
export type { OwnWords } from "./words.js";
