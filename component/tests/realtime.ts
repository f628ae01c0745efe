/** Fixtures of the live part: a flow without a server, mentors, slots. */

import type { LitElement } from "lit";
import { vi } from "vitest";
import type { Listing, Mentor, Slot } from "../src/api/types.js";
import type { Saved } from "../src/booking/saved.js";
import { initialState, type BookingState } from "../src/booking/state.js";
import type { PartContext } from "../src/booking/contracts.js";
import { Store } from "../src/core/store.js";

export const MENTOR = "01a1fd8d-6e18-743e-8127-181028f42b67";
export const DAY = "2030-05-04";

/** An instant of the day, by its time in UTC. */
export const at = (time: string): number => Date.parse(`${DAY}T${time}:00Z`);

export function slot(time: string, minutes = 60, mentors = [MENTOR]): Slot {
  const startTime = new Date(at(time)).toISOString();
  return { startTime, endTime: new Date(at(time) + minutes * 60_000).toISOString(), mentorProfileIds: mentors };
}

export function times(store: Store<BookingState>): string[] {
  return store.state.calendar.slots.map((each) => each.startTime.slice(11, 16));
}

export function saved(key: string, time = "10:00"): Saved {
  return {
    slot: slot(time),
    slotMentorId: MENTOR,
    listingId: "listing",
    durationMinutes: 60,
    payment: null,
    form: { title: "Plan", notes: "" },
    request: { path: "/sessions/book", body: "{}", key, sentAt: Date.now() },
    bookingId: null,
    userId: null,
  };
}

interface Answers {
  [path: string]: unknown;
}

/** The context of a part: its calendar shows the slots of one day of one mentor. */
export function contextOf(slots: Slot[], answers: Answers = {}, listing: Partial<Listing> = {}) {
  const store = new Store<BookingState>({
    ...initialState("UTC", DAY),
    phase: "ready",
    durationMinutes: 60,
    day: DAY,
    listing: { id: "listing", bufferBeforeMinutes: 0, bufferMinutes: 0, minNoticeMinutes: 0, ...listing } as Listing,
    offers: [{ mentor: { id: MENTOR } as Mentor, listings: [] }],
    mentorId: MENTOR,
    calendar: { slots, from: Date.now(), to: at("23:00") + 86_400_000, isLoading: false, error: null },
  });
  const get = vi.fn(async (path: string, _query?: Record<string, string>) => answers[path]);
  const flow = {
    slotLost: vi.fn(),
    forgetSaved: vi.fn(),
    sendQueued: vi.fn(async (_isAsked?: boolean) => undefined),
    restoreQueued: vi.fn((booking: Saved) => store.update({ slot: booking.slot, submission: { kind: "queued" } })),
    withdrawQueued: vi.fn(() => store.update({ submission: { kind: "none" } })),
  };
  const tokens = { canSignIn: true, subject: "user" as string | null, get: vi.fn(async (): Promise<string | null> => "token") };
  const emit = vi.fn();
  const ended = new AbortController();
  const context = {
    signal: ended.signal,
    element: { requestUpdate: vi.fn(), renderRoot: null, shadowRoot: null } as unknown as LitElement,
    client: { base: "https://api.example", get, tokens },
    store,
    flow,
    options: { mentorId: MENTOR, courseId: null, listingId: null },
    emit,
  } as unknown as PartContext;
  return { context, store, flow, get, tokens, emit, end: () => ended.abort() };
}
