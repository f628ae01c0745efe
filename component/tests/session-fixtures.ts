/** A session with its booking and quote, as the API answers them. */

import type { Booking, CancellationQuote, Session } from "../src/api/types.js";

const EUR = "EUR";

export function session(change: Partial<Session> = {}): Session {
  return {
    id: "session-1",
    bookingId: "booking-1",
    mentorProfileId: "mentor-1",
    menteeUserId: "mentee-1",
    mentor: { id: "mentor-1", name: "Grace Hopper", headline: "", avatarUrl: null },
    mentee: { id: "mentee-1", name: "Ada Lovelace" },
    title: "My first weeks",
    description: null,
    startTime: "2030-05-04T09:00:00Z",
    endTime: "2030-05-04T10:00:00Z",
    status: "scheduled",
    notes: null,
    externalId: null,
    kind: "individual",
    listing: { id: "listing-1", title: "An hour", externalId: null },
    course: null,
    price: { amount: 8500, currency: EUR },
    payment: null,
    bundlePurchaseId: null,
    metadata: null,
    rating: null,
    feedback: null,
    actionItems: null,
    startedAt: null,
    completedAt: null,
    cancelledAt: null,
    cancellation: null,
    location: null,
    earlyStartMinutes: 15,
    joinUrl: null,
    createdAt: "2030-05-01T12:30:00Z",
    updatedAt: "2030-05-01T12:30:00Z",
    ...change,
  };
}

export function booking(change: Partial<Booking> = {}): Booking {
  return {
    id: "booking-1",
    listingId: "listing-1",
    mentorProfileId: "mentor-1",
    menteeUserId: "mentee-1",
    mentor: null,
    mentee: null,
    kind: "individual",
    startTime: "2030-05-04T09:00:00Z",
    endTime: "2030-05-04T10:00:00Z",
    durationMinutes: 60,
    status: "accepted",
    title: null,
    notes: null,
    externalId: null,
    metadata: null,
    price: { amount: 8500, currency: EUR },
    payment: null,
    courseId: null,
    listing: { id: "listing-1", title: "An hour", externalId: null },
    course: null,
    session: { id: "session-1", status: "scheduled" },
    productId: null,
    bundlePurchaseId: null,
    seriesId: null,
    location: null,
    sessionId: "session-1",
    declineReason: null,
    cancelReason: null,
    createdAt: "2030-05-01T12:30:00Z",
    updatedAt: "2030-05-01T12:30:00Z",
    ...change,
  };
}

export function quote(change: Partial<CancellationQuote> = {}): CancellationQuote {
  return {
    sessionId: "session-1",
    allowed: true,
    cancelledBy: "mentee",
    late: false,
    fee: { amount: 0, currency: EUR },
    refund: { amount: 8500, currency: EUR },
    freeUntil: "2030-05-03T09:00:00Z",
    creditReturned: null,
    creditValidTo: null,
    policy: { windowHours: 24, lateFeePercent: 50 },
    noShowFeePercent: 50,
    ...change,
  };
}
