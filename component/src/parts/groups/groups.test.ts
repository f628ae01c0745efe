import { LitElement } from "lit";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { CancellationQuote, GroupSession } from "../../api/types.js";
import { initialState } from "../../booking/state.js";
import type { PartContext } from "../../booking/contracts.js";
import { Groups, standingOf } from "./groups.js";
import { extrasEn } from "../../i18n/enhanced/extras-en.js";
import { en as sessionEn } from "../../i18n/enhanced/words.js";
import { Store } from "../../core/store.js";
import { Telemetry } from "../../core/telemetry.js";
import { en as basic } from "../../i18n/language.js";
import { FakeApi, LAZY, makeClient, refusal } from "../../../tests/fake-api.js";
import { booking, quote, session } from "../../../tests/session-fixtures.js";

const en = { ...sessionEn, ...extrasEn };

const GROUP: GroupSession = {
  ...booking({ id: "g1", kind: "group", courseId: "c1", durationMinutes: 90, sessionId: "s1" }),
  templateId: "t1",
  date: "2030-05-04",
  capacity: 2,
  seatsTaken: 1,
  seatsOffered: 0,
  full: false,
  cancellationPolicy: { windowHours: 24, lateFeePercent: 50 },
  cancelledAt: null,
  joined: false,
  waitlistPosition: null,
};
const FULL = { seatsTaken: 2, full: true };

let api: FakeApi;
let listed: GroupSession[];
let opened: AbortController[] = [];

beforeEach(() => {
  listed = [GROUP];
  api = new FakeApi()
    .on("GET /group-sessions", () => ({ status: 200, body: { items: listed, nextCursor: null } }))
    .on("GET /bundles", { status: 200, body: { items: [], nextCursor: null } })
    .on("GET /sessions/s1", { status: 200, body: session({ id: "s1" }) });
});

afterEach(() => {
  sessionStorage.clear();
  for (const each of opened) each.abort();
  opened = [];
});

function made() {
  const events: [string, unknown][] = [];
  const announced: string[] = [];
  const ended = new AbortController();
  const context = {
    signal: ended.signal,
    element: { updateComplete: Promise.resolve(true), shadowRoot: null, requestUpdate: () => undefined } as unknown as LitElement,
    client: makeClient(),
    store: new Store(initialState("Europe/Berlin", "2030-05-01")),
    telemetry: new Telemetry(),
    flow: { reloadSlots: () => undefined },
    options: { mentorId: "mentor-1", courseId: null, locale: "en" },
    words: basic,
    lazy: LAZY,
    emit: (name: string, detail: unknown) => events.push([name, detail]),
    announce: (sentence: string) => announced.push(sentence),
  } as unknown as PartContext;
  const groups = new Groups(context, () => en);
  opened.push(ended);
  return { groups, events, announced, end: () => ended.abort() };
}

/** Runs what waits between its attempts, without these pauses. */
async function withoutWaiting(run: () => Promise<void>): Promise<void> {
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  try {
    const running = run();
    await vi.runAllTimersAsync();
    await running;
  } finally {
    vi.useRealTimers();
  }
}

async function open() {
  const found = made();
  found.groups.readAgain();
  await vi.waitFor(() => expect(found.groups.store.state.groups).not.toBeNull());
  return found;
}

/** The present one, as the list has it. */
function shown(groups: Groups): GroupSession {
  return groups.store.state.groups?.[0] as GroupSession;
}

const keysOf = (route: string): (string | null)[] => api.called(route).map(({ headers }) => headers.get("Idempotency-Key"));

describe("a place in a group", () => {
  it("is taken, and the page is told of the session", async () => {
    const { groups, events, announced } = await open();
    api.on("POST /group-sessions/g1/join", () => {
      listed = [{ ...GROUP, joined: true }];
      return { status: 200, body: listed[0] };
    });
    await groups.join(GROUP, "");
    expect(standingOf(shown(groups))).toBe("joined");
    expect(groups.store.state).toMatchObject({ busy: null, done: { id: "g1", sentence: en.groups.done }, failure: null });
    expect(events).toMatchObject([["booked", { booking: { id: "g1" }, session: { id: "s1" } }]]);
    expect(announced).toEqual([en.groups.done]);
  });

  it("is taken once by two clicks", async () => {
    const { groups } = await open();
    api.on("POST /group-sessions/g1/join", { status: 200, body: { ...GROUP, joined: true } });
    await Promise.all([groups.join(GROUP, ""), groups.join(GROUP, "")]);
    expect(api.called("POST /group-sessions/g1/join")).toHaveLength(1);
  });

  it("is paid by a bundle of its course and its duration", async () => {
    const bundle = { id: "b1", courseId: "c1", remainingSessions: 2, durationMinutes: null, validTo: null, status: "active" };
    const others = [{ courseId: "c2" }, { durationMinutes: 60 }, { status: "expired" }];
    const items = [bundle, ...others.map((other, at) => ({ ...bundle, id: `x${at}`, ...other }))];
    api.on("GET /bundles", { status: 200, body: { items, nextCursor: null } });
    const { groups } = await open();
    await vi.waitFor(() => expect(groups.bundlesFor(GROUP).map(({ id }) => id)).toEqual(["b1"]));
    api.on("POST /group-sessions/g1/join", { status: 200, body: { ...GROUP, joined: true } });
    await groups.join(GROUP, "b1");
    expect(JSON.parse(api.called("POST /group-sessions/g1/join")[0]?.body ?? "")).toEqual({
      bundlePurchaseId: "b1",
      expectedCancellation: GROUP.cancellationPolicy,
    });
  });

  it.each([
    ["price_changed", { price: { amount: 9000, currency: "EUR" } }, { price: { amount: 9000, currency: "EUR" } }],
    ["terms_changed", { cancellation: null }, { cancellationPolicy: null }],
  ])("is taken for the terms that are shown, which may change: %s", async (code, details, terms) => {
    const { groups } = await open();
    const answers = [refusal(409, code, { details }), { status: 200, body: { ...GROUP, joined: true } }];
    api.on("POST /group-sessions/g1/join", () => answers.shift() ?? "lost").on("GET /group-sessions", "lost");
    const join = (group: GroupSession): Promise<void> => withoutWaiting(() => groups.join(group, ""));
    await join(GROUP);
    expect(groups.store.state.failure).toMatchObject({ id: "g1", error: { code } });
    const present = { ...GROUP, ...terms };
    expect(shown(groups)).toEqual(present);
    await join(shown(groups));
    const asked = api.called("POST /group-sessions/g1/join").map(({ body }) => JSON.parse(body ?? "") as object);
    const termsOf = (group: GroupSession): object => ({ expectedPrice: group.price, expectedCancellation: group.cancellationPolicy });
    expect(asked).toEqual([termsOf(GROUP), termsOf(present)]);
    expect(new Set(keysOf("POST /group-sessions/g1/join")).size).toBe(2);
  });

  it("is asked for with one key until it is answered, also after a reload", async () => {
    api.on("POST /group-sessions/g1/join", "lost");
    const first = await open();
    await withoutWaiting(() => first.groups.join(GROUP, ""));
    expect(first.groups.store.state.failure).toMatchObject({ id: "g1", error: { code: "network" } });
    first.end();
    const second = await open();
    api.on("POST /group-sessions/g1/join", { status: 200, body: { ...GROUP, joined: true } });
    await second.groups.join(GROUP, "");
    const keys = keysOf("POST /group-sessions/g1/join");
    expect(keys.length).toBeGreaterThan(2);
    expect(new Set(keys).size).toBe(1);
  });

  it("that was taken before a reload is told of after it", async () => {
    api.on("POST /group-sessions/g1/join", () => new Promise(() => undefined));
    const first = await open();
    void first.groups.join(GROUP, "");
    await vi.waitFor(() => expect(api.called("POST /group-sessions/g1/join")).toHaveLength(1));
    first.end();
    listed = [{ ...GROUP, joined: true }];
    const second = await open();
    await vi.waitFor(() => expect(second.events).toMatchObject([["booked", { session: { id: "s1" } }]]));
    expect(sessionStorage).toHaveLength(0);
  });

  it("says why it cannot be taken, and shows the group as it is now", async () => {
    const { groups, events } = await open();
    api.on("POST /group-sessions/g1/join", () => {
      listed = [{ ...GROUP, ...FULL }];
      return refusal(409, "group_full");
    });
    await groups.join(GROUP, "");
    expect(groups.store.state).toMatchObject({ failure: { id: "g1", error: { code: "group_full" } }, busy: null, done: null });
    expect(standingOf(shown(groups))).toBe("full");
    expect(events.map(([name]) => name)).toEqual(["failed"]);
  });

  it("is not given up for more than what is shown", async () => {
    const path = "GET /sessions/s1/cancellation-quote";
    listed = [{ ...GROUP, joined: true }];
    const { groups, events } = await open();
    const cheap: CancellationQuote = quote();
    api.on(path, { status: 200, body: quote({ fee: { amount: 750, currency: "EUR" } }) });
    await groups.leave(shown(groups), cheap);
    expect(groups.store.state.failure?.error.message).toBe(en.cancelling.costChanged);
    expect(api.called("POST /group-sessions/g1/leave")).toEqual([]);
    api.on("POST /group-sessions/g1/leave", { status: 200, body: GROUP });
    await groups.leave(shown(groups), groups.store.state.quotes.get("g1") as CancellationQuote);
    expect(events.map(([name]) => name)).toEqual(["cancelled"]);
  });
});

describe("the waiting list of a full group", () => {
  it("is joined, and left", async () => {
    listed = [{ ...GROUP, ...FULL }];
    const { groups, announced } = await open();
    api
      .on("POST /group-sessions/g1/waitlist", () => {
        listed = [{ ...GROUP, ...FULL, waitlistPosition: 3 }];
        return { status: 201, body: { position: 3, offer: null } };
      })
      .on("DELETE /group-sessions/g1/waitlist", () => {
        listed = [{ ...GROUP, ...FULL }];
        return { status: 204 };
      });
    await groups.wait(shown(groups));
    expect(standingOf(shown(groups))).toBe("waiting");
    await groups.unwait(shown(groups));
    expect(standingOf(shown(groups))).toBe("full");
    expect(announced).toEqual([en.groups.waiting(3), en.groups.stopped]);
  });

  it("keeps a place for those who are next, until a time", async () => {
    const kept = { ...GROUP, seatsOffered: 1, full: true, waitlistPosition: 1 };
    listed = [kept];
    const { groups } = await open();
    api
      .on("GET /group-sessions/g1", { status: 200, body: kept })
      .on("POST /group-sessions/g1/waitlist", { status: 200, body: { position: 1, offer: { expiresAt: "2030-05-03T18:00:00Z" } } })
      .on("POST /group-sessions/g1/waitlist/accept-offer", { status: 200, body: { ...GROUP, joined: true } });
    groups.look(kept);
    await vi.waitFor(() => expect(groups.store.state.keptUntil.get("g1")).toBe("2030-05-03T18:00:00Z"));
    await groups.accept(kept, "");
    expect(groups.store.state).toMatchObject({ failure: null, done: { sentence: en.groups.done } });
  });

  it("is not entered again by people whose time for the place is over", async () => {
    const kept = { ...GROUP, seatsOffered: 1, full: true, waitlistPosition: 1 };
    listed = [kept];
    const { groups } = await open();
    listed = [{ ...GROUP, ...FULL }];
    api.on("GET /group-sessions/g1", { status: 200, body: listed[0] });
    groups.look(kept);
    await vi.waitFor(() => expect(standingOf(shown(groups))).toBe("full"));
    expect(api.called("POST /group-sessions/g1/waitlist")).toEqual([]);
  });

  it.each([
    ["joined", { joined: true, waitlistPosition: null }],
    ["kept", { waitlistPosition: 1, seatsOffered: 1, full: true }],
    ["waiting", { waitlistPosition: 2, seatsOffered: 1, full: true }],
    ["full", { full: true }],
    ["open", {}],
  ])("knows who is %s", (standing, change) => {
    expect(standingOf({ ...GROUP, ...change })).toBe(standing);
  });

  it("is not for the group's own mentor", () => {
    expect(standingOf({ ...GROUP, ...FULL }, true)).toBe("own");
  });
});

describe("the list", () => {
  it.each([
    ["the page is looked at", () => document.dispatchEvent(new Event("visibilitychange"))],
    ["the connection is back", () => dispatchEvent(new Event("online"))],
  ])("whose first reading failed is read when %s", async (_, happen) => {
    api.on("GET /group-sessions", refusal(404, "not_found"));
    const groups = made().groups;
    groups.ask();
    await vi.waitFor(() => expect(api.called("GET /group-sessions")).toHaveLength(1));
    await Promise.resolve();
    api.on("GET /group-sessions", { status: 200, body: { items: [GROUP], nextCursor: null } });
    await vi.waitFor(() => {
      happen();
      expect(shown(groups)?.id).toBe("g1");
    });
  });

  it("goes on where there are more", async () => {
    const page = (from: number): GroupSession[] => Array.from({ length: 20 }, (_, at) => ({ ...GROUP, id: `g${from + at}` }));
    api.on("GET /group-sessions", ({ query }) => {
      const from = Number(query.get("cursor") ?? 0);
      return { status: 200, body: { items: page(from), nextCursor: from < 40 ? String(from + 20) : null } };
    });
    const { groups } = await open();
    expect(groups.store.state).toMatchObject({ hasMore: true, groups: { length: 20 } });
    groups.showMore();
    await vi.waitFor(() => expect(groups.store.state.groups).toHaveLength(40));
  });
});

it("shows no list that was asked for before another one", async () => {
  const { groups } = await open();
  const late: (() => void)[] = [];
  const [before] = listed;
  api.on("GET /group-sessions", () => new Promise((resolve) => late.push(() => resolve({ status: 200, body: { items: [before], nextCursor: null } }))));
  groups.readAgain();
  await vi.waitFor(() => expect(late).toHaveLength(1));
  const joined = { ...GROUP, joined: true };
  api
    .on("GET /group-sessions", { status: 200, body: { items: [joined], nextCursor: null } })
    .on("POST /group-sessions/g1/join", { status: 200, body: joined });
  await groups.join(shown(groups), "");
  late[0]?.();
  await new Promise((resolve) => setTimeout(resolve));
  expect(shown(groups).joined).toBe(true);
});

describe("a place that is paid before it is given", () => {
  const payment = { id: "p1", status: "awaiting", amount: { amount: 4000, currency: "USD" }, dueAt: "2099-01-01T00:00:00Z" };
  const UNPAID = { ...GROUP, payment } as unknown as GroupSession;
  const JOIN = "POST /group-sessions/g1/join";

  async function taken() {
    api.on(JOIN, () => {
      listed = [UNPAID];
      return { status: 200, body: UNPAID };
    });
    const found = await open();
    await found.groups.join(shown(found.groups), "");
    return found;
  }

  it("is kept until the payment, and taken with it", async () => {
    const { groups, events, announced } = await taken();
    expect(standingOf(shown(groups))).toBe("unpaid");
    expect(events).toMatchObject([["unpaid", { booking: { id: "g1" }, session: null, payment: { id: "p1" } }]]);
    expect(groups.store.state).toMatchObject({ done: { sentence: en.groups.unpaid } });
    expect(groups.store.state.paying).not.toBeNull();
    listed = [{ ...GROUP, joined: true, payment: { ...payment, status: "paid" } } as unknown as GroupSession];
    groups.readAgain();
    await vi.waitFor(() => expect(events.at(-1)).toMatchObject(["booked", { booking: { id: "g1" }, session: { id: "s1" } }]));
    expect(announced.at(-1)).toBe(en.groups.paid);
    expect(events).toHaveLength(2);
  });

  it("is free again where nothing was paid in time, which is said", async () => {
    const { groups, announced, events } = await taken();
    listed = [{ ...GROUP, payment: { ...payment, status: "lapsed" } } as unknown as GroupSession];
    groups.readAgain();
    await vi.waitFor(() => expect(announced.at(-1)).toBe(en.groups.lapsed));
    expect(standingOf(shown(groups))).toBe("open");
    expect(events).toHaveLength(1);
  });

  it("is given up without any cost", async () => {
    api.on("POST /group-sessions/g1/leave", () => {
      listed = [{ ...GROUP, payment: { ...payment, status: "cancelled" } } as unknown as GroupSession];
      return { status: 200, body: {} };
    });
    const { groups } = await taken();
    await groups.leave(shown(groups), null);
    expect(groups.store.state).toMatchObject({ done: { sentence: en.done.leave }, failure: null });
    expect(api.called("GET /sessions/s1/cancellation-quote")).toEqual([]);
  });
});

describe("the questions of a group", () => {
  const QUESTIONS = [
    { id: "q1", label: "Why?", kind: "text", required: true },
    { id: "q2", label: "First time?", kind: "yes_no", required: false },
  ] as const;
  const JOIN = "POST /group-sessions/g1/join";

  async function asked() {
    listed = [{ ...GROUP, questions: [...QUESTIONS] }];
    const found = await open();
    await vi.waitFor(() => expect(found.groups.store.state.form).not.toBeNull());
    return found;
  }

  it("are answered before a place is taken", async () => {
    api.on(JOIN, { status: 200, body: { ...GROUP, joined: true } });
    const { groups } = await asked();
    await groups.join(shown(groups), "");
    expect(api.called(JOIN)).toEqual([]);
    expect(groups.store.state.fieldErrors).toEqual({ id: "g1", errors: { "answers.q1": ["Please answer this question."] } });
    groups.answer(shown(groups), { q1: "To learn.", q2: "yes" });
    await groups.join(shown(groups), "");
    expect(JSON.parse(api.called(JOIN)[0]?.body ?? "")).toMatchObject({ answers: { q1: "To learn.", q2: true } });
    expect(groups.store.state.fieldErrors).toBeNull();
  });

  it("show the API's reasons at their fields, and are kept", async () => {
    api.on(JOIN, refusal(400, "invalid_request", { details: { "answers.q1": ["Too short."] } }));
    const { groups } = await asked();
    groups.answer(shown(groups), { q1: "?" });
    await groups.join(shown(groups), "");
    expect(groups.store.state).toMatchObject({ failure: null, fieldErrors: { id: "g1", errors: { "answers.q1": ["Too short."] } } });
    expect(groups.store.state.answers.get("g1")).toEqual({ q1: "?" });
  });
});
