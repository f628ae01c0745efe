/** An API for tests: answers by route, and remembers what it was asked. */

import { afterEach, beforeEach, vi } from "vitest";
import { Client } from "../src/api/client.js";
import { Tokens, type TokenOptions } from "../src/api/token.js";
import type { Booking, Hold, Listing, Mentor, Session, Slot } from "../src/api/types.js";
import { BookingFlow } from "../src/booking/flow.js";
import { initialState, type BookingState } from "../src/booking/state.js";
import type { FlowContext, LazyParts, Options } from "../src/booking/contracts.js";
import { Store } from "../src/core/store.js";
import { Telemetry } from "../src/core/telemetry.js";
import { en } from "../src/i18n/language.js";

export interface Call {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: Headers;
  body: string | null;
}

export type Answer = { status: number; body?: unknown; headers?: Record<string, string> } | "lost";
type Handler = (call: Call) => Answer | Promise<Answer>;

export class FakeApi {
  readonly calls: Call[] = [];
  readonly #routes = new Map<string, Handler>();

  constructor() {
    vi.stubGlobal("fetch", (url: string, init: RequestInit = {}) => this.#answer(url, init));
  }

  /** @param route such as `POST /sessions/book`. */
  on(route: string, handler: Handler | Answer): this {
    this.#routes.set(route, typeof handler === "function" ? handler : () => handler);
    return this;
  }

  called(route: string): Call[] {
    return this.calls.filter((call) => `${call.method} ${call.path}` === route);
  }

  async #answer(url: string, init: RequestInit): Promise<Response> {
    const { pathname, searchParams } = new URL(url, "http://api.test");
    const method = init.method ?? "GET";
    const body = typeof init.body === "string" ? init.body : null;
    const call = { method, path: pathname, query: searchParams, headers: new Headers(init.headers), body };
    this.calls.push(call);
    const handler = this.#routes.get(`${method} ${pathname}`);
    const answer = handler ? await handler(call) : refusal(404, "not_found");
    init.signal?.throwIfAborted();
    if (answer === "lost") throw new TypeError("Failed to fetch");
    const content = answer.status === 204 ? null : JSON.stringify(answer.body ?? {});
    return new Response(content, { status: answer.status, headers: answer.headers ?? {} });
  }
}

export function refusal(status: number, code: string, more: object = {}, headers: Record<string, string> = {}): Answer {
  return { status, body: { statusCode: status, error: "", message: `${code}.`, code, requestId: "r", ...more }, headers };
}

export const NOW = Date.parse("2030-05-01T08:00:00Z");

/** Each test of the file begins at that moment, and with nothing that another one has kept. */
export function beginAtNow(): void {
  beforeEach(() => {
    vi.useFakeTimers({ now: NOW });
    sessionStorage.clear();
    localStorage.clear();
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });
}

/** Lets time pass. */
export const settle = (milliseconds = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(milliseconds);

export const MENTOR: Mentor = {
  id: "m1",
  externalId: null,
  metadata: null,
  userId: "u1",
  name: "Grace Hopper",
  headline: "Engineering manager",
  bio: null,
  timeZone: "Europe/Berlin",
  skills: [],
  languages: [],
  avatarUrl: null,
  rating: 4.5,
  reviewCount: 2,
  active: true,
  state: "active",
};

export const LISTING: Listing = {
  id: "l1",
  externalId: null,
  metadata: null,
  mentorProfileId: "m1",
  title: "Career advice",
  description: null,
  durationMinutes: 60,
  price: { amount: 4000, currency: "USD" },
  courseId: null,
  bookingMode: "instant",
  earlyStartMinutes: 15,
  minNoticeMinutes: 0,
  bufferBeforeMinutes: 0,
  bufferMinutes: 0,
  cancellation: { windowHours: 24, lateFeePercent: 50 },
  noShowFeePercent: 100,
  payment: "none",
  reminderMinutes: null,
  location: null,
  active: true,
};

export function slot(startTime: string, minutes = 60, mentorProfileIds = ["m1"]): Slot {
  const endTime = new Date(Date.parse(startTime) + minutes * 60_000).toISOString();
  return { startTime, endTime, mentorProfileIds };
}

export const SLOT = slot("2030-05-04T09:00:00Z");

export const HOLD: Hold = {
  id: "h1",
  mentorProfileId: "m1",
  startTime: SLOT.startTime,
  endTime: SLOT.endTime,
  expiresAt: new Date(NOW + 300_000).toISOString(),
  createdAt: new Date(NOW).toISOString(),
};

export const SESSION = { id: "s1", bookingId: "b1", startTime: SLOT.startTime, endTime: SLOT.endTime } as Session;

export function booking(changes: Partial<Booking> = {}): Booking {
  const base = { id: "b1", mentorProfileId: "m1", startTime: SLOT.startTime, endTime: SLOT.endTime };
  return { ...base, status: "accepted", sessionId: "s1", ...changes } as Booking;
}

/** An API with a mentor, a listing, two free slots and holds. */
export function offeringApi(): FakeApi {
  return new FakeApi()
    .on("GET /mentors/m1", { status: 200, body: MENTOR })
    .on("GET /listings", { status: 200, body: { items: [LISTING], nextCursor: null } })
    .on("GET /mentors/m1/slots", { status: 200, body: { durationMinutes: 60, items: [SLOT, slot("2030-05-04T11:00:00Z")] } })
    .on("POST /mentors/m1/holds", { status: 201, body: HOLD })
    .on("DELETE /holds/h1", { status: 204 });
}

export function makeClient(options: Partial<TokenOptions> = {}): Client {
  return new Client("http://api.test", new Tokens({ token: "t", tokenUrl: null, publishableKey: null, ...options }));
}

export const LAZY: LazyParts = {
  form: () => import("../src/parts/form/form.js"),
  course: () => import("../src/parts/course/course.js"),
  following: () => import("../src/parts/following/following.js"),
  moving: () => import("../src/parts/moving/moving.js"),
};

export interface Started {
  flow: BookingFlow;
  store: Store<BookingState>;
  events: [string, unknown][];
  context: FlowContext;
  /** As if the element left the page. */
  end: () => void;
}

/** A flow in the zone of Berlin that has loaded. */
export async function startFlow(changes: Partial<Options> = {}, client = makeClient()): Promise<Started> {
  const store = new Store(initialState("Europe/Berlin", "2030-05-01"));
  const events: [string, unknown][] = [];
  const options = { mentorId: "m1", listingId: null, courseId: null, optimistic: false, locale: "en", onPay: null, payUrl: null, ...changes } as Options;
  const ended = new AbortController();
  const context: FlowContext = {
    client,
    signal: ended.signal,
    store,
    telemetry: new Telemetry(),
    options,
    words: en,
    lazy: LAZY,
    enhanced: null,
    realtime: null,
    form: await LAZY.form(),
    course: null,
    emit: (name, detail) => events.push([name, detail]),
  };
  const flow = new BookingFlow(context);
  await flow.load();
  return { flow, store, events, context, end: () => ended.abort() };
}
