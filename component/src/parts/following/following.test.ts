import { describe, expect, it, vi } from "vitest";
import { screenOf } from "../../booking/state.js";
import type { BookingFlow } from "../../booking/flow.js";
import "./following.js";
import type { Following } from "./following.js";
import { type FakeApi, type Started, NOW, SESSION, SLOT, beginAtNow, booking, offeringApi, refusal, settle, slot, startFlow } from "../../../tests/fake-api.js";

const pageOf = (...items: object[]): { status: number; body: object } => ({ status: 200, body: { items, nextCursor: null } });
const BOOKED = { status: 201, body: { booking: booking(), session: SESSION } };
const HOUR_MS = 3_600_000;

const hide = (isHidden: boolean): void => {
  vi.spyOn(document, "hidden", "get").mockReturnValue(isHidden);
  document.dispatchEvent(new Event("visibilitychange"));
};

/** A form that is filled in, and sent. */
async function sent(title = "Mine"): Promise<Started> {
  const started = await startFlow();
  started.flow.chooseSlot(SLOT);
  started.flow.fillIn({ title });
  void started.flow.submit();
  await settle();
  return started;
}

beginAtNow();

describe("a session that is not there yet", () => {
  const pending = (): FakeApi =>
    offeringApi()
      .on("POST /sessions/book", { status: 202, body: { booking: booking(), session: null } })
      .on("GET /sessions/s1", refusal(404, "session_pending", {}, { "Retry-After": "1" }));

  it("is looked for ever less often, and people are told", async () => {
    const api = pending();
    const { store } = await sent();
    const looks = (): number => api.called("GET /sessions/s1").length;
    await settle(4_500);
    expect([looks(), store.state.submission]).toMatchObject([4, { kind: "pending" }]);
    await settle(16_000);
    expect([looks(), store.state.submission]).toMatchObject([6, { isLate: true }]);
    await settle(300_000);
    expect(looks()).toBe(16);
  });

  it("is looked for at once when people ask", async () => {
    const api = pending();
    const { flow, store } = await sent();
    await settle(25_000);
    api.on("GET /sessions/s1", { status: 200, body: SESSION });
    void flow.following?.follow();
    await settle();
    expect(store.state.submission.kind).toBe("booked");
  });

  it("is not looked for while the page is hidden", async () => {
    const api = pending();
    const { store } = await sent();
    hide(true);
    await settle(600_000);
    const looks = api.called("GET /sessions/s1").length;
    expect(looks).toBeLessThanOrEqual(2);
    api.on("GET /sessions/s1", { status: 200, body: SESSION });
    hide(false);
    await settle();
    expect(api.called("GET /sessions/s1")).toHaveLength(looks + 1);
    expect(store.state.submission.kind).toBe("booked");
  });

  it("is still looked for after a failure", async () => {
    const api = pending().on("GET /sessions/s1", refusal(503, "unavailable"));
    const { store } = await sent();
    await settle(60_000);
    api.on("GET /sessions/s1", { status: 200, body: SESSION });
    await settle(60_000);
    expect(store.state.submission.kind).toBe("booked");
  });
});

describe("withdrawing a request", () => {
  const withdraw = (flow: BookingFlow): Promise<void> => (flow.following as Following).withdraw();
  const draft = booking({ status: "draft", sessionId: null });
  const requested = (): FakeApi =>
    offeringApi()
      .on("POST /sessions/book", { status: 201, body: { booking: draft, session: null } })
      .on("GET /bookings/b1", { status: 200, body: draft });

  it("is tried again with the same key after a lost connection", async () => {
    const api = requested().on("POST /bookings/b1/cancel", "lost");
    const { flow, store, events } = await sent();
    void withdraw(flow);
    await settle(60_000);
    expect(store.state.submission).toMatchObject({ kind: "requested", withdrawal: { code: "network" } });
    expect(events.at(-1)).toMatchObject(["failed", { during: "cancel" }]);
    api.on("POST /bookings/b1/cancel", { status: 200, body: { ...draft, status: "cancelled" } });
    await withdraw(flow);
    expect(store.state.submission.kind).toBe("closed");
    const keys = api.called("POST /bookings/b1/cancel").map((call) => call.headers.get("Idempotency-Key"));
    expect(new Set(keys).size).toBe(1);
  });

  it("shows a decision that came first", async () => {
    requested()
      .on("POST /bookings/b1/cancel", refusal(400, "invalid_transition"))
      .on("GET /bookings/b1", { status: 200, body: { ...draft, status: "declined" } });
    const { flow, store } = await sent();
    await withdraw(flow);
    expect(store.state.submission).toMatchObject({ kind: "closed", booking: { status: "declined" } });
  });

  it("fails with a reason where the decision cannot be read", async () => {
    requested()
      .on("POST /bookings/b1/cancel", refusal(400, "invalid_transition"))
      .on("GET /bookings/b1", "lost");
    const { flow, store } = await sent();
    void withdraw(flow);
    await settle(60_000);
    expect(store.state.submission).toMatchObject({ kind: "requested", withdrawal: { code: "network" } });
  });
});

describe("a request without an answer", () => {
  const lost = (): FakeApi => offeringApi().on("POST /sessions/book", "lost").on("GET /bookings", pageOf());
  const keys = (api: FakeApi): Set<string | null> =>
    new Set(api.called("POST /sessions/book").map((call) => call.headers.get("Idempotency-Key")));

  it("has booked, as it turns out when the form is sent again", async () => {
    const api = lost();
    const { flow, store, events } = await sent("First words");
    await settle(60_000);
    expect(store.state.submission.kind).toBe("refused");
    const other = booking({ id: "b0", mentorProfileId: "m0" });
    api.on("GET /bookings", pageOf(other, booking({ status: "cancelled" }), booking()));
    api.on("GET /sessions/s1", { status: 200, body: SESSION });
    flow.fillIn({ title: "Other words" });
    await flow.submit();
    await settle();
    expect(store.state.submission).toMatchObject({ kind: "booked", booking: { id: "b1" } });
    expect(events.map(([name]) => name)).toEqual(["failed", "booked"]);
    expect(keys(api).size).toBe(1);
    const [look] = api.called("GET /bookings");
    expect(Object.fromEntries(look?.query ?? [])).toMatchObject({ role: "mentee", from: "2030-05-04T09:00:00.000Z" });
  });

  it("has booked, as it turns out when another time is sent", async () => {
    const api = lost().on("GET /sessions/s1", { status: 200, body: SESSION });
    const { flow, store } = await sent();
    await settle(60_000);
    flow.leaveForm();
    flow.chooseSlot(slot("2030-05-04T11:00:00Z"));
    api.on("GET /bookings", pageOf(booking()));
    await flow.submit();
    await settle();
    expect(store.state.submission).toMatchObject({ kind: "booked", booking: { startTime: SLOT.startTime } });
    expect(keys(api).size).toBe(1);
  });

  it("that has booked nothing gives way to the other words", async () => {
    const api = lost();
    const { flow, store } = await sent("First words");
    await settle(60_000);
    api.on("POST /sessions/book", BOOKED);
    flow.fillIn({ title: "Other words" });
    await flow.submit();
    expect(store.state.submission.kind).toBe("booked");
    expect(JSON.parse(api.called("POST /sessions/book").at(-1)?.body ?? "")).toMatchObject({ title: "Other words" });
    expect(keys(api).size).toBe(2);
  });

  it("is not given up where it cannot be looked for", async () => {
    const api = lost().on("GET /bookings", "lost");
    const { flow, store } = await sent("First words");
    await settle(60_000);
    flow.fillIn({ title: "Other words" });
    void flow.submit();
    await settle(60_000);
    expect(store.state.submission).toMatchObject({ kind: "refused", error: { code: "network" } });
    expect(keys(api).size).toBe(1);
    api.on("GET /bookings", pageOf(booking())).on("GET /sessions/s1", { status: 200, body: SESSION });
    await flow.submit();
    await settle();
    expect(store.state.submission.kind).toBe("booked");
    expect(keys(api).size).toBe(1);
  });

  describe("for so long that the API has forgotten its key", () => {
    const later = async (): Promise<FakeApi> => {
      const api = lost();
      const { end } = await sent();
      await settle(60_000);
      end();
      await settle(72 * HOUR_MS);
      return api;
    };

    it("is looked for after a reload, and not sent again", async () => {
      const api = (await later()).on("GET /sessions/s1", { status: 200, body: SESSION });
      const before = api.called("POST /sessions/book").length;
      api.on("GET /bookings", pageOf(booking()));
      const { store } = await startFlow();
      await settle(1_000);
      expect(store.state.submission).toMatchObject({ kind: "booked" });
      expect(api.called("POST /sessions/book")).toHaveLength(before);
    });

    it("is a form again after a reload where it has booked nothing", async () => {
      vi.setSystemTime(NOW - 240 * HOUR_MS);
      const api = await later();
      const before = api.called("POST /sessions/book").length;
      const { flow, store } = await startFlow();
      await settle(1_000);
      expect(screenOf(store.state)).toBe("form");
      expect(store.state).toMatchObject({ form: { title: "Mine" }, submission: { kind: "none" } });
      expect(api.called("POST /sessions/book")).toHaveLength(before);
      api.on("POST /sessions/book", BOOKED);
      await flow.submit();
      expect(store.state.submission.kind).toBe("booked");
      expect(keys(api).size).toBe(2);
    });

    it("is over with its time", async () => {
      await later();
      await settle(2 * HOUR_MS);
      const { store } = await startFlow();
      await settle(1_000);
      expect(screenOf(store.state)).toBe("choose");
    });

    it("is looked for in a page that stayed open", async () => {
      vi.setSystemTime(NOW - 240 * HOUR_MS);
      const api = lost();
      const { flow, store } = await sent();
      await settle(72 * HOUR_MS);
      api.on("POST /sessions/book", BOOKED);
      await flow.submit();
      expect(store.state.submission.kind).toBe("booked");
      expect(api.called("GET /bookings")).toHaveLength(1);
      expect(keys(api).size).toBe(2);
    });
  });
});
