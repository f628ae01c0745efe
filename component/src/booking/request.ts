/** The request that books what was chosen, and its answer in one shape. */

import type { ApiError } from "../api/errors.js";
import type { Booked, Booking, Listing, Money, Question, Terms } from "../api/types.js";
import type { Words } from "../i18n/language.js";
import type { CoursePart } from "./contracts.js";
import type { BookingState, FieldErrors, Offer } from "./state.js";
import type { SentRequest } from "./saved.js";

/** The mentor whom the chosen time is booked with. */
export function chosenOffer(state: BookingState): Offer | null {
  const id = state.slotMentorId ?? state.mentorId;
  return state.offers.find((offer) => offer.mentor.id === id) ?? null;
}

/** The listing whose terms hold for what is chosen. */
export function chosenListing(state: BookingState): Listing | null {
  if (!state.course) return state.listing;
  const listings = chosenOffer(state)?.listings ?? [];
  return listings.find((listing) => listing.durationMinutes === state.durationMinutes) ?? null;
}

/** The questions of what is chosen. */
export function chosenQuestions(state: BookingState): readonly Question[] {
  return chosenListing(state)?.questions ?? [];
}

/** The booking's price; null where a credit pays, or nothing is chosen that pays. */
export function chosenPrice(state: BookingState): Money | null {
  if (!state.course) return state.listing?.price ?? null;
  return state.payment?.kind === "product" ? state.payment.product.price : null;
}

/**
 * The terms that are shown, as a request has them: where the present ones are others, nothing is booked.
 *
 * @param price null where the request is not about what is paid.
 */
export function shownTerms(state: BookingState, price = chosenPrice(state)): object {
  return { ...(price && { expectedPrice: price }), expectedCancellation: chosenListing(state)?.cancellation };
}

/** The change of state by which the present terms replace the ones shown. */
export function withTerms(state: BookingState, terms: Partial<Terms>): Partial<BookingState> {
  const { payment } = state;
  if (terms.price && state.course) {
    if (payment?.kind !== "product") return {};
    const product = { ...payment.product, price: terms.price };
    const products = state.products.map((each) => (each.id === product.id ? product : each));
    return { payment: { kind: "product", product }, products };
  }
  const listing = chosenListing(state);
  return listing ? withListing(state, { ...listing, ...terms }) : {};
}

/** The change of state by which a listing is replaced by the present one. */
export function withListing({ course, listing, offers }: BookingState, present: Listing): Partial<BookingState> {
  const presentOf = (each: Listing): Listing => (each.id === present.id ? present : each);
  return {
    offers: offers.map((offer) => ({ ...offer, listings: offer.listings.map(presentOf) })),
    ...(!course && listing && { listing: presentOf(listing) }),
  };
}

/**
 * The request that books the chosen slot.
 *
 * @param more what parts of the form add to it.
 */
export function bookingRequest(state: BookingState, course: CoursePart | null, more: object, key: string): SentRequest {
  const { durationMinutes, form, slot } = state;
  const offer = chosenOffer(state) as Offer;
  const startTime = slot?.startTime;
  const title = form.title.trim();
  const notes = form.notes.trim() || undefined;
  const mentored = {
    mentorProfileId: offer.mentor.id,
    listingId: chosenListing(state)?.id,
    durationMinutes,
    title,
    ...more,
    ...shownTerms(state),
  };
  const send = (path: string, body: object): SentRequest => ({ path, key, body: JSON.stringify(body), sentAt: Date.now() });
  if (course) return send("/bookings/individual", { startTime, notes, ...mentored, ...course.paymentOf(state) });
  return send("/sessions/book", { scheduledAt: startTime, description: notes, ...mentored });
}

/** The answer of any route that books. */
export function bookedFrom(answer: Booked | (Booking & { series?: Booked["series"] })): Booked {
  if ("booking" in answer) return answer;
  return { booking: answer, session: null, ...(answer.series && { series: answer.series }) };
}

/**
 * The API's reasons by the field of the form that has the value.
 *
 * @param say says a reason in the language of the page, where it can.
 */
export function fieldErrorsFrom(details: ApiError["details"], say: Words["reason"]): FieldErrors {
  const errors: FieldErrors = {};
  for (const [name, reasons] of Object.entries(details)) {
    const field = FIELDS[name.split(".")[0] ?? ""] ?? (name.startsWith("answers.") ? (name as keyof FieldErrors) : "other");
    const shown = reasons.map((reason) => (field === "other" && say(reason) === reason ? `${name}: ` : "") + say(reason));
    errors[field] = [...(errors[field] ?? []), ...shown];
  }
  return errors;
}

const FIELDS: Record<string, keyof FieldErrors | undefined> = {
  title: "title",
  notes: "notes",
  description: "notes",
  recurrence: "recurrence",
};
