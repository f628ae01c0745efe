// @vitest-environment node
import { describe, expect, it } from "vitest";
import type { Client } from "../../api/client.js";
import type { Booking, CancellationQuote, Review, Session } from "../../api/types.js";
import {
  costsTheSame,
  fieldErrorsOf,
  historyOf,
  initialSessionState,
  isWebAddress,
  linesOf,
  nextLook,
  noShowFee,
  opensAt,
  possible,
  roleOf,
  type SessionState,
} from "./state.js";
import { readPlan } from "./plan.js";
import { booking, quote, session } from "../../../tests/session-fixtures.js";

const START_TIME = session().startTime;
const START = Date.parse(START_TIME);

function stateOf(change: Partial<SessionState> = {}): SessionState {
  return { ...initialSessionState(START), phase: "ready", session: session(), booking: booking(), quote: quote(), ...change };
}

describe("what may be done", () => {
  it("can be started from early start on by either party", () => {
    const opens = START - 15 * 60_000;
    expect(opensAt(session())).toBe(opens);
    expect(possible(stateOf({ now: opens - 1 }))).toMatchObject({ start: false, startsLater: true });
    expect(possible(stateOf({ now: opens }))).toMatchObject({ start: true, startsLater: false });
    expect(possible(stateOf({ quote: quote({ cancelledBy: "operator" }) })).start).toBe(false);
  });

  it("can be started at any time without an early start", () => {
    const state = stateOf({ now: 0, session: session({ earlyStartMinutes: null }) });
    expect(possible(state).start).toBe(true);
  });

  it("is completed by the mentor alone, once it goes on", () => {
    const going = session({ status: "in_progress" });
    expect(possible(stateOf({ session: going })).complete).toBe(false);
    expect(possible(stateOf({ session: going, quote: quote({ cancelledBy: "mentor" }) })).complete).toBe(true);
    expect(possible(stateOf({ quote: quote({ cancelledBy: "mentor" }) })).complete).toBe(false);
  });

  it("is cancelled where the quote allows it", () => {
    expect(possible(stateOf()).cancel).toBe(true);
    expect(possible(stateOf({ quote: quote({ allowed: false }) })).cancel).toBe(false);
    expect(possible(stateOf({ quote: null })).cancel).toBe(false);
  });

  it("leaves a group instead of cancelling it, except as its mentor", () => {
    const group = { session: session({ menteeUserId: null }), booking: booking({ kind: "group" }) };
    expect(possible(stateOf(group))).toMatchObject({ cancel: false, leave: true });
    const asMentor = stateOf({ ...group, quote: quote({ cancelledBy: "mentor" }) });
    expect(possible(asMentor)).toMatchObject({ cancel: true, leave: false });
  });

  it("is reviewed once, with a permit", () => {
    const permit = { sessionId: "s", mentorProfileId: "m", mentor: null, mentee: null, unlockedAt: "", expiresAt: "" };
    const completed = session({ status: "completed" });
    expect(possible(stateOf({ session: completed })).review).toBe(false);
    expect(possible(stateOf({ session: completed, permit })).review).toBe(true);
    expect(possible(stateOf({ session: completed, permit, reviews: [{ rating: 5 } as Review] })).review).toBe(false);
  });

  it("reports the other party's absence, a quarter of an hour after the start", () => {
    const [now, late] = [START + 15 * 60_000 - 1, START + 15 * 60_000];
    expect(possible(stateOf({ now })).noShow).toEqual([]);
    expect(possible(stateOf({ now: late })).noShow).toEqual(["mentor"]);
    const asMentor = { now: late, quote: quote({ cancelledBy: "mentor" }) };
    expect(possible(stateOf(asMentor)).noShow).toEqual(["mentee"]);
    expect(possible(stateOf({ ...asMentor, session: session({ status: "in_progress" }) })).noShow).toEqual([]);
    expect(possible(stateOf({ now: late, quote: quote({ cancelledBy: "operator" }) })).noShow).toEqual(["mentee", "mentor"]);
  });

  it("reports no mentee's absence from a group", () => {
    const group = { now: START + 3_600_000, session: session({ menteeUserId: null }), booking: booking({ kind: "group" }) };
    expect(possible(stateOf(group)).noShow).toEqual(["mentor"]);
    expect(possible(stateOf({ ...group, quote: quote({ cancelledBy: "mentor" }) })).noShow).toEqual([]);
  });

  it("is answered by its mentor, as far as there is no answer", () => {
    const reviews = [{ answer: null, answeredAt: "2030-01-01T00:00:00Z" } as Review, { answer: null, answeredAt: null } as Review];
    const state = { session: session({ status: "completed" }), quote: quote({ cancelledBy: "mentor" }) };
    expect(possible(stateOf({ ...state, reviews })).answer).toBe(true);
    expect(possible(stateOf({ ...state, reviews: reviews.slice(0, 1) })).answer).toBe(false);
    expect(possible(stateOf({ ...state, reviews, quote: quote() })).answer).toBe(false);
  });

  it("offers no link that could run a script", () => {
    expect(isWebAddress("https://meet.example.org/room")).toBe(true);
    expect(isWebAddress("javascript:alert(1)")).toBe(false);
    expect(possible(stateOf({ session: session({ joinUrl: "javascript:alert(1)" }) })).join).toBeNull();
  });

  it("knows who is looking by the quote", () => {
    expect(roleOf(stateOf())).toBe("mentee");
    expect(roleOf(stateOf({ quote: null }))).toBeNull();
  });
});

describe("what a mentee owes who did not come", () => {
  it("is the agreed share of the price, half up", () => {
    const price = { amount: 8_501, currency: "EUR" };
    const half = quote({ noShowFeePercent: 50 });
    expect(noShowFee({ booking: booking({ price }), quote: half })).toEqual({ percent: 50, fee: { ...price, amount: 4_251 } });
    expect(noShowFee({ booking: booking({ price }), quote: quote({ noShowFeePercent: 100 }) })?.fee).toEqual(price);
    expect(noShowFee({ booking: null, quote: quote() })).toBeNull();
  });
});

describe("when to look again", () => {
  const opens = START - 15 * 60_000;

  it("looks when an absence can be reported, also beside a stream", () => {
    expect(nextLook(session(), START, true)).toBe(15 * 60_000 + 500);
    expect(nextLook(session({ status: "in_progress" }), START, true)).toBeNull();
  });

  it("looks when the link appears, an hour ahead at most", () => {
    expect(nextLook(session(), opens - 10_000, false)).toBe(10_500);
    expect(nextLook(session(), opens - 10_000, true)).toBe(10_500);
    expect(nextLook(session(), opens - 86_400_000, false)).toBe(3_600_000);
  });

  it("looks when cancelling is no longer free", () => {
    expect(nextLook(session(), START - 86_400_000, true, new Date(START - 86_340_000).toISOString())).toBe(60_500);
  });

  it("looks when a proposal of another time expires", () => {
    const expiresAt = new Date(START - 86_340_000).toISOString();
    const proposal = { id: "p", startTime: "", proposedBy: "mentor", expiresAt, reason: null, status: "open" } as const;
    expect(nextLook(session({ proposal }), START - 86_400_000, true)).toBe(60_500);
  });

  it("looks each minute while it goes on, unless a stream tells", () => {
    const going = session({ status: "in_progress" });
    expect(nextLook(going, START, false)).toBe(60_000);
    expect(nextLook(going, START, true)).toBeNull();
  });

  it("does not look at what is over", () => {
    expect(nextLook(session({ status: "completed" }), START, false)).toBeNull();
    expect(nextLook(session({ status: "in_progress" }), START + 86_400_000, false)).toBeNull();
  });
});

describe("history", () => {
  const kinds = (changed: Partial<Session>, booked: Partial<Booking> = {}): string[] =>
    historyOf({ session: session(changed), booking: booking(booked), reviews: [] }).map((entry) => entry.kind);

  it("begins with the request, if the mentor had to decide", () => {
    expect(kinds({}, { createdAt: "2030-05-01T08:00:00Z" })).toEqual(["requested", "booked"]);
    expect(kinds({}, { createdAt: session().createdAt })).toEqual(["booked"]);
  });

  it("has the reviews with their answers, the oldest first", () => {
    const written = (createdAt: string, answeredAt: string | null): Review => ({ createdAt, answeredAt }) as Review;
    const reviews = [written("2030-05-06T00:00:00Z", null), written("2030-05-05T00:00:00Z", "2030-05-07T00:00:00Z")];
    const entries = historyOf({ session: session(), booking: booking({ createdAt: session().createdAt }), reviews });
    expect(entries.map((entry) => entry.kind)).toEqual(["booked", "reviewed", "reviewed", "answered"]);
  });

  it("has each step in its order", () => {
    const steps = { startedAt: "2030-05-04T09:00:00Z", completedAt: "2030-05-04T10:00:00Z" };
    expect(kinds({ status: "completed", ...steps })).toEqual(["booked", "started", "completed"]);
  });
});

describe("the rest of a series", () => {
  it("is what can be cancelled, with the sum of its quotes", async () => {
    const late = { fee: { amount: 4250, currency: "EUR" }, refund: { amount: 4250, currency: "EUR" } };
    const quotes: Record<string, CancellationQuote> = { a: quote(late), b: quote(), c: quote({ allowed: false }) };
    const pages = [
      [booking({ seriesId: "s", sessionId: "a" }), booking({ seriesId: "another", sessionId: "x" })],
      [booking({ seriesId: "s", sessionId: "b" }), booking({ seriesId: "s", sessionId: "c" })],
      [booking({ seriesId: "s", sessionId: null, status: "draft" }), booking({ seriesId: "s", status: "declined" })],
    ];
    const get = async (path: string, query: { cursor?: string | null }): Promise<unknown> => {
      if (path.startsWith("/sessions/")) return quotes[path.split("/")[2] ?? ""];
      const at = Number(query.cursor ?? 0);
      return { items: pages[at], nextCursor: at < 2 ? String(at + 1) : null };
    };
    const seen = { seriesId: "s", listingId: "l", from: START_TIME };
    const plan = await readPlan({ get } as unknown as Client, seen, "mentee", new AbortController().signal);
    expect(plan.items.map((item) => item.isDraft)).toEqual([false, false, true]);
    expect(plan).toMatchObject({ fee: { amount: 4250 }, refund: { amount: 12_750 }, credits: 0 });
  });
});

describe("forms", () => {
  it("takes the lines that have something in them", () => {
    expect(linesOf(" one \n\n  \ntwo")).toEqual(["one", "two"]);
  });

  it("puts the API's reasons beside their fields, with the number in a list", () => {
    const details = { notes: ["Too long."], "actionItems.1": ["Too long."], actionItems: ["Too many."] };
    expect(fieldErrorsOf(details, (number, reason) => `${number}: ${reason}`, (reason) => reason.toUpperCase())).toEqual({
      notes: ["TOO LONG."],
      actionItems: ["2: TOO LONG.", "TOO MANY."],
    });
  });

  it("takes other details of a refusal for no reasons of fields", () => {
    const details = { proposal: "id", reason: "off" } as unknown as Record<string, string[]>;
    expect(fieldErrorsOf(details, (number) => number, (reason) => reason)).toEqual({});
  });

  it("sees when a quote costs something else", () => {
    const later: CancellationQuote = quote({ fee: { amount: 4250, currency: "EUR" } });
    expect(costsTheSame(quote(), quote())).toBe(true);
    expect(costsTheSame(quote(), later)).toBe(false);
  });
});

describe("moving", () => {
  const policy = { mode: "by_agreement", windowHours: 24, maxTimes: 2 } as const;
  const at = (hoursBefore: number): number => Date.parse("2030-05-04T09:00:00Z") - hoursBefore * 3_600_000;
  const may = (change: object, now = at(48), terms: object = {}): boolean =>
    possible({
      ...initialSessionState(now),
      ...{ session: session(), quote: quote(), booking: booking({ reschedule: { ...policy, ...terms } }) },
      ...change,
    } as SessionState).move;

  it.each([
    ["by agreement up to the start", {}, at(1), {}, true],
    ["not once it has begun", {}, at(0), {}, false],
    ["freely outside the window", {}, at(25), { mode: "free" }, true],
    ["not freely within it", {}, at(23), { mode: "free" }, false],
    ["not where its terms forbid it", {}, at(48), { mode: "off" }, false],
    ["not more often than its terms allow", { session: session({ rescheduleCount: 2 }) }, at(48), {}, false],
    ["by an organiser in any case", { quote: quote({ cancelledBy: "operator" }) }, at(1), { mode: "off" }, true],
    ["not while it is in progress", { session: session({ status: "in_progress" }) }, at(48), {}, false],
    ["not by a participant of a group", { booking: booking({ kind: "group", reschedule: policy }) }, at(48), {}, false],
    ["not where the API does not tell its terms", { booking: booking() }, at(48), {}, false],
  ])("is possible %s", (_, change, now, terms, expected) => {
    expect(may(change, now, terms)).toBe(expected);
  });

  it("waits for the answer to the other side's proposal, and replaces the visitor's own", () => {
    const proposal = { id: "p1", startTime: "2030-05-06T09:00:00Z", expiresAt: "2030-05-03T09:00:00Z", reason: null, status: "open" } as const;
    expect(may({ session: session({ proposal: { ...proposal, proposedBy: "mentor" } }) })).toBe(false);
    expect(may({ session: session({ proposal: { ...proposal, proposedBy: "mentee" } }) })).toBe(true);
  });
});
