import { describe, expect, it, vi } from "vitest";
import type { Client } from "../api/client.js";
import { slotsByDay } from "./calendar/slots.js";
import { screenOf, type BookingState } from "./state.js";
import "../parts/following/following.js";
import { type Answer, type FakeApi, HOLD, LISTING, NOW, SESSION, SLOT, beginAtNow, booking, makeClient, offeringApi, refusal, settle, slot, startFlow } from "../../tests/fake-api.js";

const names = (events: [string, unknown][]): string[] => events.map(([name]) => name);

const BOOK = "POST /sessions/book";
/** The terms of the listing, as a request names them. */
const SHOWN = { expectedPrice: LISTING.price, expectedCancellation: LISTING.cancellation };
const bodyOf = (api: FakeApi, route: string): object => JSON.parse(api.called(route).at(-1)?.body ?? "null") as object;

beginAtNow();

it("books once, whatever the page does with the answer", async () => {
  const api = offeringApi().on(BOOK, { status: 201, body: { booking: booking(), session: SESSION } });
  const { flow, store, context } = await startFlow();
  vi.spyOn(context, "emit").mockImplementationOnce(() => {
    throw new Error("The page's own.");
  });
  flow.chooseSlot(SLOT);
  await settle();
  await expect(flow.submit()).rejects.toThrow("The page's own.");
  expect(store.state.submission.kind).toBe("booked");
  expect(api.called(BOOK)).toHaveLength(1);
});

it("books in a page without TLS, whose browser makes no UUIDs", async () => {
  vi.stubGlobal("crypto", { getRandomValues: crypto.getRandomValues.bind(crypto) });
  const api = offeringApi().on(BOOK, { status: 201, body: { booking: booking(), session: SESSION } });
  const { flow, store } = await startFlow();
  flow.chooseSlot(SLOT);
  await settle();
  expect(store.state.hold.kind).toBe("held");
  await flow.submit();
  expect(store.state.submission.kind).toBe("booked");
  const keys = ["POST /mentors/m1/holds", BOOK].map((route) => api.called(route)[0]?.headers.get("Idempotency-Key"));
  expect(keys).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/), expect.stringMatching(/^[0-9a-f]{32}$/)]);
  expect(keys[0]).not.toBe(keys[1]);
});

describe("the calendar", () => {
  it("shows the first day with free slots", async () => {
    offeringApi();
    const { store } = await startFlow();
    expect(screenOf(store.state)).toBe("choose");
    expect(store.state).toMatchObject({ day: "2030-05-04", month: "2030-05-01", durationMinutes: 60 });
  });

  it("is read beside what is on offer, by the length that the API takes", async () => {
    const api = offeringApi().on("GET /mentors/m1", () => new Promise<never>(() => undefined));
    void startFlow();
    await settle();
    expect(api.called("GET /mentors/m1/slots")[0]?.query.has("durationMinutes")).toBe(false);
  });

  it("reads its first slots once", async () => {
    const api = offeringApi();
    await startFlow();
    await startFlow({ listingId: "l1" });
    const asked = api.called("GET /mentors/m1/slots").map(({ query }) => query.get("listingId"));
    expect(asked).toEqual([null, "l1"]);
  });

  it("reads slots again where those were of another length", async () => {
    const longer = { ...LISTING, id: "l2", durationMinutes: 90 };
    const api = offeringApi().on("GET /listings", { status: 200, body: { items: [longer], nextCursor: null } });
    const { store } = await startFlow();
    const asked = api.called("GET /mentors/m1/slots").map(({ query }) => query.get("durationMinutes"));
    expect(asked).toEqual([null, "90"]);
    expect(store.state.calendar.slots).toHaveLength(2);
  });

  it("reads slots of what is on offer where the listing is gone", async () => {
    offeringApi().on("GET /mentors/m1/slots", ({ query }) =>
      query.has("durationMinutes")
        ? { status: 200, body: { durationMinutes: 60, items: [SLOT] } }
        : refusal(409, "no_listing"),
    );
    const { store } = await startFlow();
    expect(store.state.calendar).toMatchObject({ slots: [SLOT], error: null });
  });

  it("looks further ahead until there is a free slot", async () => {
    const api = offeringApi().on("GET /mentors/m1/slots", ({ query }) => {
      const isThere = Date.parse(query.get("to") ?? "") > Date.parse("2030-08-01");
      return { status: 200, body: { items: isThere ? [slot("2030-08-05T09:00:00Z")] : [] } };
    });
    const { store } = await startFlow();
    expect(store.state).toMatchObject({ day: "2030-08-05", month: "2030-08-01" });
    for (const { query } of api.called("GET /mentors/m1/slots")) {
      const span = Date.parse(query.get("to") ?? "") - Date.parse(query.get("from") ?? "");
      expect(span).toBeLessThanOrEqual(92 * 86_400_000);
    }
  });

  /** An API whose mentor has these times, and is asked for a span of them. */
  const free = (...starts: string[]): FakeApi =>
    offeringApi().on("GET /mentors/m1/slots", ({ query }) => {
      const [from, to] = ["from", "to"].map((name) => Date.parse(query.get(name) ?? ""));
      const items = starts.map((each) => slot(each)).filter(({ startTime }) => Date.parse(startTime) >= (from ?? 0) && Date.parse(startTime) < (to ?? 0));
      return { status: 200, body: { durationMinutes: 60, items } };
    });
  const days = (state: BookingState): string[] => [...slotsByDay(state.calendar.slots, state.month, state.zone).keys()];

  it("has all free days of the month of the first one", async () => {
    vi.setSystemTime("2030-01-05T08:00:00Z");
    // The search for the first one ends on the 4th of May.
    free("2030-05-03T09:00:00Z", "2030-05-20T09:00:00Z");
    const { store } = await startFlow();
    await settle();
    expect(days(store.state)).toEqual(["2030-05-03", "2030-05-20"]);
  });

  it("has the last hours of a month in another zone", async () => {
    free("2030-05-04T09:00:00Z", "2030-07-01T02:00:00Z");
    const { store, flow } = await startFlow();
    flow.showMonth(1);
    await settle();
    flow.chooseZone("Pacific/Honolulu");
    await settle();
    expect(days(store.state)).toEqual(["2030-06-30"]);
  });

  it("has all free days of the month of a time that was chosen before a reload", async () => {
    free("2030-05-04T09:00:00Z", "2030-07-10T09:00:00Z", "2030-07-20T09:00:00Z");
    const before = await startFlow();
    before.flow.chooseSlot(slot("2030-07-10T09:00:00Z"));
    before.end();
    const { store, flow } = await startFlow();
    await settle();
    flow.leaveForm();
    await settle();
    expect(store.state).toMatchObject({ month: "2030-07-01", day: "2030-07-10" });
    expect(days(store.state)).toEqual(["2030-07-10", "2030-07-20"]);
  });

  it("stays at the month that people look at where times are read again", async () => {
    free("2030-05-04T09:00:00Z", "2030-07-10T09:00:00Z");
    const { store, flow } = await startFlow();
    flow.showMonth(1);
    flow.showMonth(1);
    await settle();
    await flow.reloadSlots();
    expect(store.state).toMatchObject({ month: "2030-07-01", day: null });
  });

  it("goes to the first free time where there was none before", async () => {
    free();
    const { store, flow } = await startFlow();
    free("2030-07-10T09:00:00Z");
    await flow.reloadSlots();
    expect(store.state).toMatchObject({ month: "2030-07-01", day: "2030-07-10" });
  });

  it("keeps the chosen day in another zone", async () => {
    offeringApi();
    const { flow, store } = await startFlow();
    flow.chooseZone("Pacific/Auckland");
    expect(store.state).toMatchObject({ zone: "Pacific/Auckland", day: "2030-05-04" });
    flow.chooseZone("Pacific/Honolulu");
    expect(store.state).toMatchObject({ day: "2030-05-03" });
  });
});

describe("a hold", () => {
  it("ends, and can be asked for again", async () => {
    const api = offeringApi();
    const { flow, store } = await startFlow();
    flow.chooseSlot(SLOT);
    await settle();
    expect(store.state.hold).toEqual({ kind: "held", hold: HOLD, endsAt: NOW + 300_000 });
    await settle(300_000);
    expect(store.state.hold.kind).toBe("expired");
    flow.holdAgain();
    await settle();
    expect(api.called("POST /mentors/m1/holds")).toHaveLength(2);
  });

  it("is given back with the way back to the calendar", async () => {
    const api = offeringApi();
    const { flow, store } = await startFlow();
    flow.chooseSlot(SLOT);
    await settle();
    flow.leaveForm();
    await settle();
    expect(api.called("DELETE /holds/h1")).toHaveLength(1);
    expect(screenOf(store.state)).toBe("choose");
  });

  it("that was still being asked for is given back once it is there", async () => {
    const answers: ((answer: Answer) => void)[] = [];
    const api = offeringApi().on("POST /mentors/m1/holds", () => new Promise<Answer>((resolve) => answers.push(resolve)));
    const { flow, store } = await startFlow();
    flow.chooseSlot(SLOT);
    await settle();
    flow.leaveForm();
    flow.chooseSlot(slot("2030-05-04T11:00:00Z"));
    await settle();
    // The next one is asked for after it: the API would replace the one by the other.
    expect(answers).toHaveLength(1);
    answers[0]?.({ status: 201, body: HOLD });
    await settle();
    expect(api.called("DELETE /holds/h1")).toHaveLength(1);
    expect(answers).toHaveLength(2);
    answers[1]?.({ status: 201, body: { ...HOLD, id: "h2" } });
    await settle();
    expect(store.state.hold).toMatchObject({ kind: "held", hold: { id: "h2" } });
    expect(api.called("DELETE /holds/h2")).toEqual([]);
  });

  it("that is left before it was asked for is not asked for", async () => {
    const api = offeringApi().on("POST /mentors/m1/holds", () => new Promise<never>(() => undefined));
    const { flow, store } = await startFlow();
    for (const time of ["09:00", "11:00", "12:00"]) {
      flow.chooseSlot(slot(`2030-05-04T${time}:00Z`));
      flow.leaveForm();
    }
    await settle(10_000);
    expect(api.called("POST /mentors/m1/holds").length).toBeLessThan(2);
    expect(store.state.hold.kind).toBe("none");
  });

  it("that is refused takes the slot away", async () => {
    offeringApi().on("POST /mentors/m1/holds", refusal(409, "slot_taken"));
    const { flow, store } = await startFlow();
    flow.chooseSlot(SLOT);
    await settle();
    expect(screenOf(store.state)).toBe("choose");
    expect(store.state.lost?.slot).toEqual(SLOT);
  });

  it("is not in the way of booking where there are too many", async () => {
    offeringApi().on("POST /mentors/m1/holds", refusal(409, "booking_limit"));
    const { flow, store } = await startFlow();
    flow.chooseSlot(SLOT);
    await settle();
    expect(store.state.hold.kind).toBe("unavailable");
    expect(screenOf(store.state)).toBe("form");
  });

  it.each([-3, 3])("lasts as long as it is, by a clock %i hours ahead", async (hours) => {
    vi.setSystemTime(NOW + hours * 3_600_000);
    offeringApi();
    const { flow, store } = await startFlow();
    flow.chooseSlot(SLOT);
    await settle();
    expect(store.state.hold).toMatchObject({ kind: "held", endsAt: Date.now() + 300_000 });
    await settle(299_000);
    expect(store.state.hold.kind).toBe("held");
    await settle(1_000);
    expect(store.state.hold.kind).toBe("expired");
  });

  it("that is being asked for is answered before the booking is sent", async () => {
    let answer: (answer: Answer) => void = () => undefined;
    const api = offeringApi()
      .on("POST /mentors/m1/holds", () => new Promise<Answer>((resolve) => (answer = resolve)))
      .on("POST /sessions/book", { status: 201, body: { booking: booking(), session: SESSION } });
    const { flow, store } = await startFlow();
    flow.chooseSlot(SLOT);
    void flow.submit();
    await settle(500);
    expect(store.state.submission.kind).toBe("sending");
    expect(api.called("POST /sessions/book")).toEqual([]);
    answer({ status: 201, body: HOLD });
    await settle();
    expect(store.state.submission.kind).toBe("booked");
  });

  it("that takes too long does not keep the booking waiting", async () => {
    offeringApi()
      .on("POST /mentors/m1/holds", () => new Promise<never>(() => undefined))
      .on("POST /sessions/book", { status: 201, body: { booking: booking(), session: SESSION } });
    const { flow, store } = await startFlow();
    flow.chooseSlot(SLOT);
    void flow.submit();
    await settle(2_100);
    expect(store.state.submission.kind).toBe("booked");
  });
});

describe("booking", () => {
  it("is sent once by a double click", async () => {
    const api = offeringApi().on("POST /sessions/book", { status: 201, body: { booking: booking(), session: SESSION } });
    const { flow, store, events } = await startFlow();
    flow.chooseSlot(SLOT);
    void flow.submit();
    void flow.submit();
    await settle();
    expect(api.called("POST /sessions/book")).toHaveLength(1);
    expect(store.state.submission.kind).toBe("booked");
    expect(names(events)).toEqual(["booked"]);
    expect(store.state.calendar.slots.map((each) => each.startTime)).toEqual(["2030-05-04T11:00:00Z"]);
  });

  it("waits for a session that is pending", async () => {
    let looks = 0;
    offeringApi()
      .on("POST /sessions/book", { status: 202, body: { booking: booking(), session: null } })
      .on("GET /sessions/s1", () =>
        ++looks < 3 ? refusal(404, "session_pending", {}, { "Retry-After": "1" }) : { status: 200, body: SESSION },
      );
    const { flow, store, events } = await startFlow();
    flow.chooseSlot(SLOT);
    await flow.submit();
    await settle();
    expect(store.state.submission.kind).toBe("pending");
    await settle(2_500);
    expect(store.state.submission).toMatchObject({ kind: "booked", session: SESSION });
    expect(names(events)).toEqual(["booked"]);
  });

  it("that is requested is booked when the mentor accepts", async () => {
    let status: "draft" | "accepted" = "draft";
    offeringApi()
      .on("POST /sessions/book", { status: 201, body: { booking: booking({ status, sessionId: null }), session: null } })
      .on("GET /bookings/b1", () => ({
        status: 200,
        body: booking({ status, sessionId: status === "draft" ? null : "s1" }),
      }))
      .on("GET /sessions/s1", { status: 200, body: SESSION });
    const { flow, store, events } = await startFlow();
    flow.chooseSlot(SLOT);
    await flow.submit();
    await settle(12_000);
    expect(store.state.submission.kind).toBe("requested");
    status = "accepted";
    await settle(20_000);
    expect(store.state.submission.kind).toBe("booked");
    expect(names(events)).toEqual(["requested", "booked"]);
  });

  it("that lost the race goes back to the other times, and keeps the words", async () => {
    offeringApi().on("POST /sessions/book", refusal(409, "slot_taken"));
    const { flow, store } = await startFlow({ optimistic: true });
    flow.chooseSlot(SLOT);
    flow.fillIn({ notes: "My first weeks" });
    const sent = flow.submit();
    expect(screenOf(store.state)).toBe("result");
    await sent;
    expect(screenOf(store.state)).toBe("choose");
    expect(store.state).toMatchObject({ slot: null, form: { notes: "My first weeks" } });
    expect(store.state.lost?.error.code).toBe("slot_taken");
  });

  it("is sent again with the same key and bytes after a lost connection", async () => {
    let isLost = true;
    const api = offeringApi().on("POST /sessions/book", () =>
      isLost ? "lost" : { status: 201, body: { booking: booking(), session: SESSION } },
    );
    const { flow, store } = await startFlow();
    flow.chooseSlot(SLOT);
    const sent = flow.submit();
    await settle(500);
    expect(store.state.submission).toMatchObject({ kind: "sending", waiting: { reason: "network" } });
    await settle(60_000);
    await sent;
    expect(store.state.submission.kind).toBe("refused");
    isLost = false;
    await flow.submit();
    expect(store.state.submission.kind).toBe("booked");
    const calls = api.called("POST /sessions/book");
    expect(calls.length).toBeGreaterThan(2);
    expect(new Set(calls.map((call) => call.headers.get("Idempotency-Key"))).size).toBe(1);
    expect(new Set(calls.map((call) => call.body)).size).toBe(1);
  });

  it("has another key once what is sent has changed", async () => {
    const api = offeringApi()
      .on("POST /sessions/book", refusal(503, "unavailable"))
      .on("GET /bookings", { status: 200, body: { items: [], nextCursor: null } });
    const { flow } = await startFlow();
    flow.chooseSlot(SLOT);
    void flow.submit();
    await settle(120_000);
    const before = api.called("POST /sessions/book").at(-1)?.headers.get("Idempotency-Key");
    flow.fillIn({ notes: "More" });
    void flow.submit();
    await settle();
    expect(api.called("POST /sessions/book").at(-1)?.headers.get("Idempotency-Key")).not.toBe(before);
  });

  it("shows the API's reasons at their fields", async () => {
    const details = { title: ["Longer than maximum length 200."], description: ["Too long."], metadata: ["Too big."] };
    offeringApi().on("POST /sessions/book", refusal(400, "invalid_request", { details }));
    const { flow, store } = await startFlow();
    flow.chooseSlot(SLOT);
    await flow.submit();
    expect(store.state.fieldErrors).toEqual({
      title: ["Longer than maximum length 200."],
      notes: ["Too long."],
      other: ["metadata: Too big."],
    });
    expect(screenOf(store.state)).toBe("form");
  });

  it("is of the chosen listing, although a cheaper one is added while the form is open", async () => {
    const cheaper = { ...LISTING, id: "l0", price: { amount: 500, currency: "USD" } };
    const api = offeringApi().on("POST /sessions/book", { status: 201, body: { booking: booking(), session: SESSION } });
    const { flow, store } = await startFlow();
    flow.chooseSlot(SLOT);
    await settle();
    api.on("GET /listings", { status: 200, body: { items: [cheaper, LISTING], nextCursor: null } });
    await flow.submit();
    expect(bodyOf(api, "POST /mentors/m1/holds")).toMatchObject({ listingId: "l1", ...SHOWN });
    expect(bodyOf(api, BOOK)).toMatchObject({ listingId: "l1", mentorProfileId: "m1", durationMinutes: 60, ...SHOWN });
    expect(store.state.submission.kind).toBe("booked");
  });

  it("is of another listing than the first of its duration", async () => {
    const cheaper = { ...LISTING, id: "l2", price: { amount: 1000, currency: "USD" }, cancellation: null };
    const api = offeringApi()
      .on("GET /listings", { status: 200, body: { items: [LISTING, cheaper], nextCursor: null } })
      .on(BOOK, { status: 201, body: { booking: booking(), session: SESSION } });
    const { flow, store } = await startFlow();
    expect(store.state.listing?.id).toBe("l2");
    flow.chooseSlot(SLOT);
    await settle();
    flow.leaveForm();
    flow.chooseListing("l1");
    await settle();
    flow.chooseSlot(SLOT);
    await settle();
    await flow.submit();
    const holds = api.called("POST /mentors/m1/holds").map(({ body }) => JSON.parse(body ?? "") as object);
    const terms = { expectedPrice: cheaper.price, expectedCancellation: null };
    expect(holds).toMatchObject([{ listingId: "l2", ...terms }, { listingId: "l1", ...SHOWN }]);
    expect(bodyOf(api, BOOK)).toMatchObject({ listingId: "l1", ...SHOWN });
  });

  it("is not made of another listing where the chosen one is gone after a reload", async () => {
    const other = { ...LISTING, id: "l2" };
    const api = offeringApi().on("GET /listings", { status: 200, body: { items: [LISTING, other], nextCursor: null } });
    const before = await startFlow();
    before.flow.chooseSlot(SLOT);
    await settle();
    api.on("GET /listings", { status: 200, body: { items: [other], nextCursor: null } });
    const { store } = await startFlow();
    expect([screenOf(store.state), store.state.slot]).toEqual(["choose", null]);
  });

  it("needs someone who is signed in", async () => {
    const api = offeringApi();
    const { flow, store, events } = await startFlow({}, makeClient({ token: null, publishableKey: "tpk_1" }));
    flow.chooseSlot(SLOT);
    expect(store.state.needsSignIn).toBe(true);
    expect(names(events)).toEqual(["signin"]);
    expect(api.called("POST /mentors/m1/holds")).toEqual([]);
  });
});

describe("terms that have changed", () => {
  const RAISED = { amount: 18500, currency: "USD" };
  const WORSE = { windowHours: 48, lateFeePercent: 100 };

  it.each([
    ["price", refusal(409, "price_changed", { details: { price: RAISED } }), { ...SHOWN, expectedPrice: RAISED }],
    ["policy", refusal(409, "terms_changed", { details: { cancellation: WORSE } }), { ...SHOWN, expectedCancellation: WORSE }],
    ["policy, to none", refusal(409, "terms_changed", { details: { cancellation: null } }), { ...SHOWN, expectedCancellation: null }],
  ])("are shown and asked for again: %s", async (_, changed, terms) => {
    const answers = [changed, { status: 201, body: { booking: booking(), session: SESSION } }];
    const api = offeringApi().on(BOOK, () => answers.shift() as Answer);
    const { flow, store, events } = await startFlow();
    flow.chooseSlot(SLOT);
    await settle();
    await flow.submit();
    expect(screenOf(store.state)).toBe("form");
    expect(names(events)).toEqual(["failed"]);
    const [offered] = store.state.offers[0]?.listings ?? [];
    expect(store.state.listing).toEqual({ ...LISTING, price: terms.expectedPrice, cancellation: terms.expectedCancellation });
    expect(offered).toBe(store.state.listing);
    await flow.submit();
    expect(store.state.submission.kind).toBe("booked");
    const sent = api.called(BOOK);
    expect(sent.map(({ body }) => JSON.parse(body ?? "") as object)).toMatchObject([SHOWN, terms]);
    expect(new Set(sent.map(({ headers }) => headers.get("Idempotency-Key"))).size).toBe(2);
    // The time was kept all the while.
    expect(api.called("POST /mentors/m1/holds")).toHaveLength(1);
  });

  it("are known from the hold, which is asked for again by the new ones", async () => {
    const answers = [refusal(409, "price_changed", { details: { price: RAISED } }), { status: 201, body: HOLD }];
    const api = offeringApi().on("POST /mentors/m1/holds", () => answers.shift() as Answer);
    const { flow, store } = await startFlow();
    flow.chooseSlot(SLOT);
    await settle();
    expect(store.state).toMatchObject({ listing: { price: RAISED }, submission: { kind: "refused" }, hold: { kind: "held" } });
    const holds = api.called("POST /mentors/m1/holds").map(({ body }) => JSON.parse(body ?? "") as object);
    expect(holds).toMatchObject([SHOWN, { ...SHOWN, expectedPrice: RAISED }]);
  });

  it("are asked for once by an API that never agrees", async () => {
    const api = offeringApi().on("POST /mentors/m1/holds", refusal(409, "price_changed", { details: { price: LISTING.price } }));
    const { flow, store } = await startFlow();
    flow.chooseSlot(SLOT);
    await settle();
    expect(api.called("POST /mentors/m1/holds")).toHaveLength(1);
    expect(store.state.hold.kind).toBe("unavailable");
  });
});

describe("a reload", () => {
  it("keeps the slot and the words of the form", async () => {
    offeringApi();
    const before = await startFlow();
    before.flow.chooseSlot(SLOT);
    before.flow.fillIn({ title: "Mine", notes: "Kept" });
    before.end();
    const { store } = await startFlow();
    expect(store.state).toMatchObject({ slot: SLOT, form: { title: "Mine", notes: "Kept" }, hold: { kind: "held" } });
  });

  it("in the middle of booking is answered as the first request", async () => {
    const api = offeringApi().on("POST /sessions/book", () => new Promise<never>(() => undefined));
    const before = await startFlow();
    before.flow.chooseSlot(SLOT);
    void before.flow.submit();
    await settle();
    before.end();
    api.on("POST /sessions/book", { status: 201, body: { booking: booking(), session: SESSION } });
    const { end, store, events } = await startFlow();
    await settle(2_000);
    expect(store.state.submission.kind).toBe("booked");
    expect(names(events)).toEqual(["booked"]);
    end();
    const [first, second] = api.called("POST /sessions/book");
    expect(second?.headers.get("Idempotency-Key")).toBe(first?.headers.get("Idempotency-Key"));
    expect(second?.body).toBe(first?.body);
    const after = await startFlow();
    expect(screenOf(after.store.state)).toBe("choose");
  });

  it("shows a request that is not decided", async () => {
    const draft = booking({ status: "draft", sessionId: null });
    offeringApi()
      .on("POST /sessions/book", { status: 201, body: { booking: draft, session: null } })
      .on("GET /bookings/b1", { status: 200, body: draft });
    const before = await startFlow();
    before.flow.chooseSlot(SLOT);
    await before.flow.submit();
    before.end();
    const { store, events } = await startFlow();
    await settle();
    expect(store.state.submission.kind).toBe("requested");
    expect(names(events)).toEqual([]);
  });

  describe("after which", () => {
    const clientOf = (sub: string): Client => makeClient({ token: `x.${btoa(JSON.stringify({ sub }))}.y` });
    const sent = async (): Promise<FakeApi> => {
      const api = offeringApi().on("POST /sessions/book", () => new Promise<never>(() => undefined));
      const before = await startFlow({}, clientOf("user"));
      before.flow.chooseSlot(SLOT);
      await settle();
      void before.flow.submit();
      await settle();
      before.end();
      return api.on("POST /sessions/book", { status: 201, body: { booking: booking(), session: SESSION } });
    };

    it("another person is signed in sends nothing, and shows nothing", async () => {
      const api = await sent();
      const { end, store } = await startFlow({}, clientOf("somebody else"));
      await settle(2_000);
      expect(api.called("POST /sessions/book")).toHaveLength(1);
      expect(screenOf(store.state)).toBe("choose");
      end();
      await startFlow({}, clientOf("user"));
      expect(api.called("POST /sessions/book")).toHaveLength(1);
    });

    it("nobody is signed in keeps the booking for the person who made it", async () => {
      const api = await sent();
      const { end } = await startFlow({}, makeClient({ token: () => null }));
      end();
      expect(api.called("POST /sessions/book")).toHaveLength(1);
      await startFlow({}, clientOf("user"));
      await settle(2_000);
      expect(api.called("POST /sessions/book")).toHaveLength(2);
    });
  });
});
