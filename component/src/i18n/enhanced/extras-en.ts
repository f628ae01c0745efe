/** The words of what is added to booking, in English: series, refused times, availability, groups. */

import type { RefusalReason } from "../../api/types.js";
import type { Plural } from "../language.js";
import type { SessionWords } from "./en.js";

export const extrasEn = {
  repeat: {
    title: "Repeat",
    none: "Does not repeat",
    weeks: (weeks: number) => (weeks === 1 ? "Every week" : `Every ${weeks} weeks`),
    ends: "Ends",
    byCount: "After a number of sessions",
    byDate: "On a date",
    count: "Number of sessions",
    until: "Last date",
    skip: "Leave out dates that are not free",
    skipHint: "Otherwise nothing is booked if one of them is not free.",
    checking: "Checking …",
    free: "free",
    taken: (reason: string) => `not free: ${reason}`,
    takenRequest: "taken, but requested all the same",
    unknown: "checked when you book",
    noSuchTime: "the clocks skip this time",
    tooMany: "A series has at most 52 sessions. Please choose an earlier last date.",
    tooFew: "Please choose a last date after the first session.",
    badCount: "Please enter a number from 2 to 52.",
    made: (dates: string) => `Booked: ${dates}`,
    requested: (dates: string) => `Requested: ${dates}`,
    skipped: "Left out",
    withdrawAll: (requests: string) => `Withdraw all ${requests}`,
    withdrawn: "The requests were withdrawn.",
  },

  refused: {
    title: "Why are other times not offered?",
    reasons: {
      beyond_horizon: "too far ahead to be booked yet",
      too_soon: "too soon to be booked",
      time_off: "the coach is away",
      outside_hours: "outside the coach's hours",
      busy: "already taken",
      limit: "the coach has enough sessions then",
    } as Record<RefusalReason, string>,
  },

  availability: {
    next: (time: string) => `Next free time: ${time}`,
    none: "No free time at present",
  },

  groups: {
    title: "Group sessions",
    full: "Full",
    joined: "You have a place",
    unpaid: "A place is kept for you until you have paid",
    paid: "Your payment has arrived: you have a place.",
    lapsed: "Your payment did not arrive in time, so that the place is free again.",
    kept: "A place is kept for you",
    waiting: (position: number) => `You are number ${position} on the waiting list`,
    more: "Show more",
    join: "Take a place",
    takeKept: "Take the place",
    keptUntil: (time: string) => `It is kept for you until ${time}.`,
    decline: "Decline the place",
    wait: "Join the waiting list",
    waitHint: "When a place becomes free, it is kept for the first in line, who is notified.",
    unwait: "Leave the waiting list",
    unwaitHint: "You lose your place in line.",
    stopped: "You are not on the waiting list any more.",
    payment: "Payment",
    credits: { one: "{n} session left", other: "{n} sessions left" } as Plural,
    labelFor: (label: string, price: string) => `${label}: ${price}`,
    byBundle: (left: string) => `Bundle: ${left}`,
    validUntil: (day: string) => `valid until ${day}`,
    freeUntil: (time: string) => `You can give it up free of charge until ${time}.`,
    feeAfter: (percent: string) => `After that, ${percent} of the price is due.`,
    lateFee: (percent: string) => `If you give it up, ${percent} of the price is due.`,
    lateCredit: "Of a bundle, the session is used up then.",
    alwaysFree: "You can give it up free of charge until it begins.",
    noLeaving: "You cannot give up the place yourself once you have it.",
    done: "You have a place.",
    problems: {
      group_full: "All places have been taken meanwhile.",
      already_joined: "You have a place already.",
      seats_free: "There are free places again: you can take one.",
      no_offer: "The place is not kept for you any more.",
      invalid_transition: "The session has begun, or was cancelled.",
      not_found: "This group could not be found any more.",
      slot_taken: "You already have a session at this time.",
      bundle_unusable: "This bundle cannot pay for it.",
      not_cancellable: "You cannot give up the place yourself.",
    } as Record<string, string>,
  },
};

/** Both, as every other language has them in one file. */
export type ExtrasWords = SessionWords & typeof extrasEn;
