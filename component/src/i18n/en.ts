/** The words of the component in English; the type of every other language. */

import { pluralForms } from "./plural.js";

const plurals = pluralForms({
  reviews: { one: "{n} review", other: "{n} reviews" },
  minutes: { one: "{n} minute", other: "{n} minutes" },
  hours: { one: "{n} hour", other: "{n} hours" },
  times: { one: "{n} free time", other: "{n} free times" },
  seconds: { one: "{n} second", other: "{n} seconds" },
});

export const en = {
  code: "en",
  plurals,
  loading: "Loading …",
  tryAgain: "Try again",
  back: "Back to the calendar",

  card: {
    rating: (rating: string, reviews: string) => `Rated ${rating} out of 5, ${reviews}`,
    noReviews: "No reviews yet",
    session: "Session",
    coach: "Coach",
    free: "Free",
    instant: "Booked at once",
    request: "The coach confirms",
    nothing: "There is nothing to book at the moment.",
  },

  calendar: {
    title: "Choose a time",
    zone: "Time zone",
    coachZone: "The coach's time zone",
    yourZone: "Your time zone",
    allZones: "All time zones",
    previous: "Previous month",
    next: "Next month",
    day: (day: string, times: string) => `${day}, ${times}`,
    noTimes: "no free times",
    today: "today",
    chooseDay: "Choose a day to see its free times.",
    none: "There are no free times.",
    noneAtAll: (day: string) => `There are no free times until ${day}.`,
    findNext: "Show the next free time",
    morning: "Morning",
    afternoon: "Afternoon",
    evening: "Evening",
  },

  form: {
    title: "Your booking",
    subject: "Subject",
    notes: "Notes for the coach",
    optional: "optional",
    price: "Price",
    when: "When",
    where: "Where",
    online: "Online",
    phone: "By phone",
    inPerson: "In person",
    terms: "Cancellation",
    freeUntil: (time: string) => `Free of charge until ${time}.`,
    lateFee: (fee: string, percent: string) => `After that, ${percent} of the price is due: ${fee}.`,
    alwaysFree: "Free of charge until the start.",
    freeAtFirst: "Free of charge for an hour after it is confirmed, at most until it starts.",
    noCancelling: "This session cannot be cancelled.",
    book: "Book now",
    inAll: (total: string, each: string) => `${total} in all, ${each} per session`,
    bookFor: (price: string) => `Book for ${price}`,
    request: "Send the request",
    sending: "One moment …",
    unsure: "It may have been booked all the same. Trying again never books twice.",
    titleMissing: "Please enter a subject.",
    held: (time: string) => `This time is kept for you for ${time}.`,
    expired: "This time is no longer kept for you, but may still be free.",
    keepAgain: "Keep it again",
    requestHint: "The coach confirms or declines your request. You will be notified.",
    signInLink: "Sign in",
    signInToBook: "Sign in to book",
  },

  retryIn: (seconds: string) => `Trying again in ${seconds}.`,

  result: {
    booked: "Your session is booked",
    requested: "Your request has been sent",
    queued: "Your booking waits for a connection",
    confirming: "Confirming your booking …",
    another: "Book another time",
    with: "With",
  },

  problems: {
    network: "There is no connection to the service.",
    part: "Part of this page is missing. Please load it again.",
    timeout: "The service did not answer in time.",
    unexpected: "Something went wrong on our side.",
    unavailable: "The service is not available right now.",
    rate_limited: "That was a lot at once.",
    unauthenticated: "Please sign in to go on.",
    not_found: "This offer could not be found.",
    slot_taken: "Somebody else has just taken this time. Choose another one.",
    price_changed: "The price has changed, and nothing has been booked. Please look at the new price:",
    terms_changed: "The terms of cancellation have changed, and nothing has been booked. Please look at the new ones:",
    mentee_busy: "You already have a session at this time. Choose another one.",
  } as Record<string, string>,
  /** The API's sentence of a refusal that has no words here, which is in English. */
  refused: (message: string) => message,
  /** One of the API's reasons at a field, which are in English. */
  reason: (message: string) => message,
  lostTime: (time: string) => `${time} is no longer free`,
  reference: (id: string) => `Reference: ${id}`,
};

/** Words of a language: sentences, and functions of what they name; `parts` has the page's own for lazy parts, by their names. */
export type Words = typeof en & { readonly parts?: Readonly<Record<string, object | undefined>> };
