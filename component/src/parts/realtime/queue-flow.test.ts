import { LitElement } from "lit";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ApiError } from "../../api/errors.js";
import { BookingFlow } from "../../booking/flow.js";
import { initialState } from "../../booking/state.js";
import type { Saved } from "../../booking/saved.js";
import type { Options, PartContext, RealtimePart } from "../../booking/contracts.js";
import { BookingQueue, type QueuedBooking } from "./queue.js";
import type { Records } from "./storage.js";
import { Store } from "../../core/store.js";
import { Telemetry } from "../../core/telemetry.js";
import { en } from "../../i18n/language.js";
import { LAZY, LISTING, NOW, SESSION, SLOT, type FakeApi, booking, makeClient, offeringApi, refusal } from "../../../tests/fake-api.js";

const BOOK = "POST /sessions/book";
const BOOKED = { status: 201, body: { booking: booking(), session: SESSION } };
/** A JWT of a person, as far as the browser reads it. */
const TOKEN = `.${btoa(JSON.stringify({ sub: "user" }))}.`;

let api: FakeApi;
let kept: Map<string, QueuedBooking>;
let onLine: boolean;

/** A tab with the flow and the queue as they are; all tabs share the storage. */
async function openTab() {
  const records: Records<QueuedBooking> = {
    get: async (key) => structuredClone(kept.get(key)),
    all: async () => [...kept.values()],
    put: async (key, record) => void kept.set(key, structuredClone(record)),
    delete: async (key) => void kept.delete(key),
  };
  const events: string[] = [];
  const ended = new AbortController();
  const context = {
    element: LitElement.prototype,
    signal: ended.signal,
    client: makeClient({ token: TOKEN }),
    store: new Store(initialState("Europe/Berlin", "2030-05-01")),
    telemetry: new Telemetry(),
    options: { mentorId: "m1", listingId: null, courseId: null, optimistic: false } as Options,
    words: en,
    lazy: LAZY,
    enhanced: null,
    realtime: null as RealtimePart | null,
    course: null,
    emit: (name: string) => void events.push(name),
    announce: () => undefined,
  };
  const flow = new BookingFlow(context as never);
  const part = { ...context, flow } as unknown as PartContext;
  const queue = new BookingQueue(part, records, async (_, work) => work());
  context.realtime = {
    followsSessions: true,
    queue: (saved: Saved, error: ApiError, wasSent: boolean) => queue.add(saved, error, wasSent),
  } as unknown as RealtimePart;
  await flow.load();
  await queue.adopt();
  return { flow, queue, store: context.store, events, close: () => ended.abort() };
}

const settle = (milliseconds = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(milliseconds);
const keys = (): Set<string | null> => new Set(api.called(BOOK).map(({ headers }) => headers.get("Idempotency-Key")));

beforeEach(() => {
  vi.useFakeTimers({ now: NOW });
  sessionStorage.clear();
  kept = new Map();
  onLine = true;
  vi.spyOn(navigator, "onLine", "get").mockImplementation(() => onLine);
  api = offeringApi();
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

async function bookOffline() {
  const tab = await openTab();
  tab.flow.chooseSlot(SLOT);
  await settle();
  onLine = false;
  void tab.flow.submit();
  await settle();
  expect(tab.store.state.submission.kind).toBe("queued");
  return tab;
}

it("is not booked for another price than the one it waited with, which is asked for first", async () => {
  const tab = await bookOffline();
  onLine = true;
  const price = { amount: 18500, currency: "USD" };
  const answers = [refusal(409, "price_changed", { details: { price } }), BOOKED];
  api.on(BOOK, () => answers.shift() ?? "lost");
  dispatchEvent(new Event("online"));
  await tab.queue.send();
  await settle();
  expect(tab.store.state).toMatchObject({ slot: SLOT, listing: { price }, submission: { kind: "refused" } });
  expect([kept.size, tab.queue.store.state.booking]).toEqual([0, null]);
  await tab.flow.submit();
  expect(tab.store.state.submission.kind).toBe("booked");
  expect(keys().size).toBe(2);
  const bodies = api.called(BOOK).map(({ body }) => JSON.parse(body ?? "") as object);
  expect(bodies).toMatchObject([{ expectedPrice: LISTING.price }, { expectedPrice: price }]);
  tab.close();
});

it("is kept in one place, and booked once with one key over a bad connection", async () => {
  const tab = await bookOffline();
  expect([kept.size, sessionStorage.length]).toEqual([1, 0]);
  api.on(BOOK, "lost");
  onLine = true;
  void tab.queue.send();
  await settle(60_000);
  expect(tab.store.state.submission.kind).toBe("queued");
  expect([kept.size, sessionStorage.length]).toEqual([1, 0]);
  api.on(BOOK, BOOKED);
  await settle(120_000);
  expect(tab.store.state.submission.kind).toBe("booked");
  expect([kept.size, keys().size]).toEqual([0, 1]);
  expect(tab.events.filter((name) => name === "booked")).toHaveLength(1);
  tab.close();
});

it("goes on after a reload, with one event", async () => {
  (await bookOffline()).close();
  onLine = true;
  api.on(BOOK, BOOKED);
  const tab = await openTab();
  await settle(10_000);
  expect(tab.events).toEqual(["booked"]);
  tab.flow.bookAnother();
  await settle(120_000);
  expect([api.called(BOOK).length, kept.size]).toEqual([1, 0]);
  expect(tab.events).toEqual(["booked"]);
  tab.close();
});

it("is not shown again after a reload in the middle of its sending", async () => {
  const first = await bookOffline();
  onLine = true;
  api.on(BOOK, () => new Promise(() => undefined));
  void first.queue.send();
  await settle();
  expect(first.store.state.submission.kind).toBe("sending");
  first.close();
  api.on(BOOK, BOOKED);
  const tab = await openTab();
  await settle(10_000);
  expect(tab.events).toEqual(["booked"]);
  tab.flow.bookAnother();
  await settle(120_000);
  expect([keys().size, kept.size]).toEqual([1, 0]);
  expect(tab.events).toEqual(["booked"]);
  tab.close();
});

it("is sent when a person wants it, although the browser believes to be offline", async () => {
  const tab = await bookOffline();
  api.on(BOOK, BOOKED);
  await tab.queue.send();
  expect(api.called(BOOK)).toEqual([]);
  await tab.queue.send(true);
  expect(tab.events).toEqual(["booked"]);
  tab.close();
});
