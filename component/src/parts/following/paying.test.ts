import { render } from "lit";
import { describe, expect, it, vi } from "vitest";
import type { Booking, Payment } from "../../api/types.js";
import type { Options, View } from "../../booking/contracts.js";
import { en } from "../../i18n/language.js";
import { renderResult } from "../form/form.js";
import "./following.js";
import { type FakeApi, type Started, NOW, SESSION, SLOT, beginAtNow, booking, makeClient, offeringApi, refusal, settle, startFlow } from "../../../tests/fake-api.js";

const NOTHING = { amount: 0, currency: "USD" };
const DUE: Payment = {
  ...{ id: "p1", for: "booking", bookingId: "b1", seriesId: null, bundleId: null, userId: "u9", mentorProfileId: "m1" },
  ...{ amount: { amount: 4000, currency: "USD" }, status: "awaiting", paidAt: null, reference: null, checkoutUrl: null },
  ...{ refundDue: NOTHING, refunded: NOTHING, refunds: [], version: 1 },
  ...{ dueAt: new Date(NOW + 1_800_000).toISOString(), createdAt: new Date(NOW).toISOString(), updatedAt: new Date(NOW).toISOString() },
} as Payment;
const UNPAID = booking({ status: "awaiting_payment", sessionId: null, payment: DUE, seriesId: null });
const PAID = booking({ payment: { ...DUE, status: "paid" } });
const LAPSED = booking({ status: "cancelled", cancelReason: "unpaid", sessionId: null, payment: { ...DUE, status: "lapsed" } });
const TOKEN = `x.${btoa(JSON.stringify({ sub: "u9" }))}.y`;

function unpaidApi(): FakeApi {
  return offeringApi()
    .on("POST /sessions/book", { status: 201, body: { booking: UNPAID, session: null } })
    .on("GET /sessions/s1", { status: 200, body: SESSION })
    .on("GET /bookings/b1", { status: 200, body: UNPAID });
}

const become = (api: FakeApi, body: Booking): FakeApi => api.on("GET /bookings/b1", { status: 200, body });

async function sent(options: Partial<Options> = {}): Promise<Started> {
  const started = await startFlow(options, makeClient({ token: TOKEN }));
  started.flow.chooseSlot(SLOT);
  started.flow.fillIn({ title: "Mine", notes: "Private" });
  void started.flow.submit();
  await settle();
  return started;
}

/** The result, as it is rendered now. */
function page({ flow, store }: Started): HTMLElement {
  const root = document.createElement("div");
  const view = { state: store.state, flow, words: en, locale: "en", now: Date.now(), course: null, enhanced: null, realtime: null };
  render(renderResult({ ...view, signInUrl: null } as View), root);
  return root;
}

const press = (started: Started, action: string): void => page(started).querySelector<HTMLElement>(`[data-action=${action}]`)?.click();

beginAtNow();

describe("a booking that awaits its payment", () => {
  it("says how much is due until when, and counts down", async () => {
    unpaidApi();
    const started = await sent();
    expect(started.store.state.submission).toMatchObject({ kind: "unpaid", booking: { id: "b1" } });
    expect(started.events).toMatchObject([["unpaid", { booking: { id: "b1" }, payment: { id: "p1" } }]]);
    const text = (): string => page(started).textContent ?? "";
    expect(text()).toContain("Your booking awaits its payment");
    expect(text()).toMatch(/Please pay \$40 by May 1, 2030, 10:30/);
    expect(text()).toContain("30:00 left to pay.");
    await settle(60_000);
    expect(text()).toContain("29:00 left to pay.");
    await settle(1_680_000);
    expect(text()).toContain("One minute is left to pay.");
  });

  it("is booked as soon as it is paid", async () => {
    const api = unpaidApi();
    const started = await sent();
    page(started);
    become(api, PAID);
    await settle(31_000);
    expect(started.store.state.submission).toMatchObject({ kind: "booked", session: { id: "s1" } });
    expect(page(started).textContent).toContain("Your payment has arrived.");
    expect(started.events.map(([name]) => name)).toEqual(["unpaid", "booked"]);
  });

  it("is looked at again after a lost connection", async () => {
    const api = unpaidApi();
    const started = await sent();
    api.on("GET /bookings/b1", "lost");
    await settle(60_000);
    expect(started.store.state.submission.kind).toBe("unpaid");
    become(api, PAID);
    await settle(40_000);
    expect(started.store.state.submission.kind).toBe("booked");
  });

  it.each([
    ["lapsed", LAPSED, "Your payment did not arrive in time"],
    ["was paid too late", { ...LAPSED, payment: { ...DUE, status: "paid", refundDue: DUE.amount } } as Booking, "goes back to you"],
    ["was cancelled by the coach", { ...LAPSED, cancelReason: "ill" }, "Your booking has been cancelled"],
  ])("says plainly that it %s", async (_, closed, sentence) => {
    const api = unpaidApi();
    const started = await sent();
    become(api, closed);
    await settle(31_000);
    expect(started.store.state.submission.kind).toBe("closed");
    expect(page(started).textContent).toContain(sentence);
  });

  it("awaits it after the mentor has accepted the request", async () => {
    const draft = booking({ status: "draft", sessionId: null });
    const api = unpaidApi().on("POST /sessions/book", { status: 201, body: { booking: draft, session: null } });
    const started = await sent();
    expect(started.store.state.submission.kind).toBe("requested");
    await settle(11_000);
    expect(started.store.state.submission.kind).toBe("unpaid");
    become(api, PAID);
    await settle(31_000);
    expect(started.events.map(([name]) => name)).toEqual(["requested", "unpaid", "booked"]);
  });

  it("is cancelled, or booked where the payment came first", async () => {
    const api = unpaidApi().on("POST /bookings/b1/cancel", { status: 200, body: { ...LAPSED, cancelReason: null } });
    const first = await sent();
    press(first, "withdraw");
    await settle();
    expect(page(first).textContent).toContain("Your booking has been cancelled");
    api.on("POST /bookings/b1/cancel", refusal(400, "invalid_transition"));
    const second = await sent();
    become(api, PAID);
    press(second, "withdraw");
    await settle();
    expect(second.store.state.submission.kind).toBe("booked");
  });

  it("is cancelled with all of its series", async () => {
    const api = unpaidApi()
      .on("POST /sessions/book", { status: 201, body: { booking: { ...UNPAID, seriesId: "r1" }, session: null } })
      .on("POST /series/r1/cancel", { status: 200, body: { cancelled: [], kept: [] } });
    const started = await sent();
    become(api, { ...LAPSED, cancelReason: null });
    press(started, "withdraw");
    await settle();
    expect(JSON.parse(api.called("POST /series/r1/cancel")[0]?.body ?? "")).toMatchObject({ from: SLOT.startTime });
    expect(started.store.state.submission.kind).toBe("closed");
  });
});

describe("the way to the payment page", () => {
  it("is the page's own call, once for two clicks, and what became of it is looked at", async () => {
    const api = unpaidApi();
    let pay: () => void = () => undefined;
    const onPay = vi.fn(() => new Promise<void>((resolve) => (pay = resolve)));
    const started = await sent({ onPay });
    press(started, "pay");
    press(started, "pay");
    expect(onPay.mock.calls).toMatchObject([[{ id: "p1", amount: DUE.amount }]]);
    become(api, PAID);
    pay();
    await settle(1);
    expect(started.store.state.submission.kind).toBe("booked");
  });

  it("shows why the page's own call failed, and can be gone again", async () => {
    unpaidApi();
    const onPay = vi.fn(() => Promise.reject(new Error("The card was declined.")));
    const started = await sent({ onPay });
    press(started, "pay");
    await settle();
    expect(page(started).textContent).toContain("The card was declined.");
    press(started, "pay");
    expect(onPay).toHaveBeenCalledTimes(2);
  });

  it("is the site's address, which gets the payment's id", async () => {
    unpaidApi();
    const assign = vi.spyOn(location, "assign").mockImplementation(() => undefined);
    const started = await sent({ payUrl: "https://pay.example/now?lang=en" });
    press(started, "pay");
    press(started, "pay");
    expect(assign.mock.calls).toEqual([["https://pay.example/now?lang=en&payment=p1"]]);
    // The way back may show the page as it was left.
    dispatchEvent(new Event("pageshow"));
    expect(page(started).querySelector("[data-action=pay]")?.hasAttribute("aria-disabled")).toBe(false);
  });

  it("is the checkout of the API's provider, with the way back to this page", async () => {
    const api = unpaidApi().on("POST /payments/p1/checkout", { status: 200, body: { url: "https://checkout.example/c1" } });
    const assign = vi.spyOn(location, "assign").mockImplementation(() => undefined);
    press(await sent(), "pay");
    await settle();
    expect(assign.mock.calls).toEqual([["https://checkout.example/c1"]]);
    const body = JSON.parse(api.called("POST /payments/p1/checkout")[0]?.body ?? "") as object;
    expect(body).toEqual({ successUrl: location.href, cancelUrl: location.href });
  });

  it("opens no address that runs scripts", async () => {
    unpaidApi().on("POST /payments/p1/checkout", { status: 200, body: { url: "javascript:alert(1)" } });
    const assign = vi.spyOn(location, "assign").mockImplementation(() => undefined);
    const started = await sent();
    press(started, "pay");
    await settle();
    expect(assign).not.toHaveBeenCalled();
    expect(page(started).textContent).toContain("could not be opened");
  });

  it("is left to the site where there is no provider", async () => {
    unpaidApi().on("POST /payments/p1/checkout", refusal(409, "no_payment_provider"));
    const started = await sent();
    press(started, "pay");
    await settle();
    expect(page(started).textContent).toContain("Please pay as this site has told you.");
    expect(page(started).querySelector("[data-action=pay]")).toBeNull();
  });
});

describe("after the return to the page", () => {
  const back = async (token = TOKEN): Promise<Started> => {
    const started = await startFlow({}, makeClient({ token }));
    await settle();
    return started;
  };

  it.each([
    ["still awaited", UNPAID, "unpaid"],
    ["paid", PAID, "booked"],
    ["lapsed", LAPSED, "closed"],
  ])("the booking is %s, also in another tab", async (_, body, kind) => {
    const api = unpaidApi();
    const { end } = await sent();
    end();
    sessionStorage.clear();
    become(api, body);
    const started = await back();
    expect(started.store.state.submission.kind).toBe(kind);
    expect(api.called("POST /sessions/book")).toHaveLength(1);
  });

  it("nothing is shown to another person", async () => {
    const api = unpaidApi();
    const { end } = await sent();
    end();
    sessionStorage.clear();
    const other = await back(`x.${btoa(JSON.stringify({ sub: "u8" }))}.y`);
    expect(other.store.state.submission.kind).toBe("none");
    expect(api.called("GET /bookings/b1").length).toBeLessThanOrEqual(1);
    expect(localStorage.length).toBe(0);
  });

  it("it is found again by who booked another time meanwhile", async () => {
    unpaidApi();
    const { flow, store, end } = await sent();
    flow.bookAnother();
    expect(store.state.submission.kind).toBe("none");
    end();
    expect((await back()).store.state.submission.kind).toBe("unpaid");
  });

  it("what people wrote stays in their tab", async () => {
    unpaidApi();
    await sent();
    const kept = Object.values({ ...localStorage }) as string[];
    expect(kept).toHaveLength(1);
    expect(kept[0]).not.toMatch(/Mine|Private/);
  });
});
