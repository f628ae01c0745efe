import { LitElement } from "lit";
import { afterEach, describe, expect, it, vi } from "vitest";
import { ApiError } from "../../api/errors.js";
import type { RequestOptions } from "../../api/client.js";
import type { CancellationQuote, Session } from "../../api/types.js";
import type { PartContext } from "../../booking/contracts.js";
import type { SessionActions } from "../../core/page.js";
import { SessionFlow } from "./flow.js";
import { possible } from "./state.js";
import { en as words } from "../../i18n/language.js";
import { en } from "../../i18n/enhanced/words.js";
import { booking, quote, session } from "../../../tests/session-fixtures.js";

interface Sent {
  path: string;
  body: object;
  key: string | undefined;
  ifMatch: string | null | undefined;
}

/** An API with one session: what it answers to changes is given, one answer each. */
class FakeApi {
  readonly base = "http://api.test";
  readonly tokens = { subject: "user" };
  reviews: object[] = [];
  session: Session = session();
  quote: CancellationQuote | ApiError = quote();
  booking = booking();
  tag = '"1-a"';
  answers: (object | ApiError)[] = [];
  /** How far the visitor's clock is ahead. */
  ahead = 0;
  readonly sent: Sent[] = [];

  get now(): number {
    return Date.now() - this.ahead;
  }

  readonly get = async (path: string, _query: object, options: RequestOptions = {}): Promise<unknown> => {
    if (path.endsWith("/cancellation-quote")) {
      const found = await this.quote;
      options.signal?.throwIfAborted();
      if (found instanceof ApiError) throw found;
      return found;
    }
    if (path.startsWith("/bookings/")) return this.booking;
    if (path === "/bookings") return { items: [this.booking], nextCursor: null };
    if (path.startsWith("/sessions/")) {
      options.onTag?.(this.tag);
      return this.session;
    }
    return { items: path.endsWith("/reviews") ? this.reviews : [], nextCursor: null };
  };

  readonly post = async (path: string, body: object, options: RequestOptions): Promise<unknown> => {
    this.sent.push({ path, body, key: options.key, ifMatch: options.ifMatch });
    const answer = this.answers.shift();
    if (answer instanceof ApiError) throw answer;
    return answer;
  };
}

let opened: AbortController[] = [];

async function open(api: FakeApi, options: { sessionActions?: SessionActions; optimistic?: boolean } = {}) {
  const events: string[] = [];
  const ended = new AbortController();
  const context = {
    signal: ended.signal,
    element: LitElement.prototype,
    client: api,
    telemetry: { failed: () => undefined, loaded: () => undefined },
    flow: { sessionChanged: () => undefined },
    options: { sessionActions: null, optimistic: false, ...options },
    words,
    realtime: null,
    emit: (name: string) => events.push(name),
    announce: () => undefined,
  } as unknown as PartContext;
  const flow = new SessionFlow(context, () => en);
  opened.push(ended);
  flow.open(api.session.id);
  await settled(flow, (state) => state.quote !== null);
  return { flow, events, end: () => ended.abort() };
}

/** Waits for a state; the test's own time limit ends what never comes. */
function settled(flow: SessionFlow, isReached: (state: SessionFlow["store"]["state"]) => boolean): Promise<void> {
  return new Promise((resolve) => {
    if (isReached(flow.store.state)) return resolve();
    flow.store.subscribe((state) => void (isReached(state) && resolve()));
  });
}

afterEach(() => {
  sessionStorage.clear();
  for (const each of opened) each.abort();
  opened = [];
});

describe("steps", () => {
  it("names the version it has seen, and tells of the step", async () => {
    const api = new FakeApi();
    const { flow, events } = await open(api);
    api.answers = [session({ status: "in_progress" })];
    await flow.start();
    expect(api.sent[0]).toMatchObject({ path: "/sessions/session-1/start", ifMatch: '"1-a"' });
    expect(flow.store.state).toMatchObject({ session: { status: "in_progress" }, doing: null, notice: en.done.start });
    expect(events).toEqual(["started"]);
  });

  it("are possible by the API's time, where the visitor's clock shows another one", async () => {
    const api = new FakeApi();
    api.ahead = Date.now() - Date.parse(api.session.startTime);
    const { flow } = await open(api);
    expect(possible(flow.store.state).start).toBe(true);
  });

  it("has ended with its answer, while the rest is still being read", async () => {
    const api = new FakeApi();
    const { flow } = await open(api);
    api.answers = [session({ status: "in_progress" }), session({ status: "completed" })];
    let answerQuote = (_quote: CancellationQuote): void => undefined;
    const held = new Promise<CancellationQuote>((resolve) => (answerQuote = resolve));
    Object.defineProperty(api, "quote", { get: () => held });
    await flow.start();
    expect(flow.store.state).toMatchObject({ session: { status: "in_progress" }, doing: null });
    await flow.complete({ notes: "Read chapter three." });
    expect(api.sent.map(({ path }) => path)).toEqual(["/sessions/session-1/start", "/sessions/session-1/complete"]);
    answerQuote(quote());
  });

  it("does one thing at a time", async () => {
    const api = new FakeApi();
    const { flow } = await open(api);
    api.answers = [session({ status: "in_progress" })];
    await Promise.all([flow.start(), flow.start()]);
    expect(api.sent).toHaveLength(1);
  });

  it("reads the session again when it was changed meanwhile, and says so", async () => {
    const api = new FakeApi();
    const { flow, events } = await open(api);
    api.answers = [new ApiError(412, "stale")];
    api.session = session({ status: "cancelled", updatedAt: "2030-05-02T00:00:00Z" });
    await flow.start();
    expect(flow.store.state).toMatchObject({ session: { status: "cancelled" }, error: { code: "stale" } });
    expect(events).toEqual(["failed"]);
  });

  it("sends the same key again after a lost connection, and another one after an answer", async () => {
    const api = new FakeApi();
    const { flow } = await open(api);
    api.answers = [new ApiError(0, "network"), new ApiError(400, "too_early"), session({ status: "in_progress" })];
    for (let attempt = 0; attempt < 3; attempt++) await flow.start();
    const [lost, refused, done] = api.sent.map((each) => each.key);
    expect(refused).toBe(lost);
    expect(done).not.toBe(lost);
  });

  it("sends the same key after a reload of the page, and another one as another person", async () => {
    const api = new FakeApi();
    const first = await open(api);
    api.answers = [new ApiError(0, "network")];
    await first.flow.start();
    first.end();
    api.answers = [new ApiError(0, "network"), new ApiError(0, "network")];
    await (await open(api)).flow.start();
    api.tokens.subject = "another";
    await (await open(api)).flow.start();
    const [lost, again, other] = api.sent.map((each) => each.key);
    expect(again).toBe(lost);
    expect(other).not.toBe(lost);
  });

  it("keeps nothing of what was entered", async () => {
    const api = new FakeApi();
    const { flow } = await open(api);
    api.answers = [new ApiError(0, "network")];
    await flow.cancel("My secret reason.", true);
    expect(sessionStorage.length).toBe(1);
    expect(JSON.stringify({ ...sessionStorage })).not.toContain("secret");
  });

  it("puts the API's reasons beside the fields, and keeps the form open", async () => {
    const api = new FakeApi();
    api.session = session({ status: "in_progress" });
    api.quote = quote({ cancelledBy: "mentor" });
    const { flow } = await open(api);
    flow.openDialog("complete");
    api.answers = [new ApiError(400, "invalid_request", "", { notes: ["Too long."] })];
    await flow.complete({ notes: "…" });
    expect(flow.store.state).toMatchObject({ dialog: "complete", fieldErrors: { notes: ["Too long."] } });
  });
});

describe("the page's own actions", () => {
  it("replace the component's call", async () => {
    const api = new FakeApi();
    const called: string[] = [];
    const onStart = (id: string): void => {
      called.push(id);
      api.session = session({ status: "in_progress", updatedAt: "2030-05-02T00:00:00Z" });
    };
    const { flow, events } = await open(api, { sessionActions: { onStart } });
    await flow.start();
    expect(called).toEqual(["session-1"]);
    expect(api.sent).toEqual([]);
    expect(events).toEqual(["started"]);
  });

  it("are shown as made meanwhile, and taken back when they fail", async () => {
    const api = new FakeApi();
    let fail: (reason: Error) => void = () => undefined;
    const onStart = (): Promise<void> => new Promise((_, reject) => (fail = reject));
    const { flow, events } = await open(api, { sessionActions: { onStart }, optimistic: true });
    const started = flow.start();
    expect(flow.store.state.session?.status).toBe("in_progress");
    fail(new Error("The room is closed."));
    await started;
    expect(flow.store.state).toMatchObject({
      session: { status: "scheduled" },
      error: { code: "page", message: "The room is closed." },
      doing: null,
    });
    expect(events).toEqual(["failed"]);
  });

  it("may take too long: people go on, and see what comes of it later", async () => {
    const api = new FakeApi();
    const { flow, events } = await open(api, { sessionActions: { onStart: () => answer } });
    let settle = (): void => undefined;
    const answer = new Promise<void>((resolve) => (settle = resolve));
    vi.useFakeTimers();
    try {
      const started = flow.start();
      await vi.advanceTimersByTimeAsync(60_000);
      await started;
      expect(flow.store.state).toMatchObject({ doing: null, error: { code: "timeout" } });
      expect(events).toEqual(["failed"]);
    } finally {
      vi.useRealTimers();
    }
    api.session = session({ status: "in_progress", updatedAt: "2030-05-02T00:00:00Z" });
    settle();
    await settled(flow, (state) => state.session?.status === "in_progress");
  });

  it("tell nothing when nothing came of them", async () => {
    const { flow, events } = await open(new FakeApi(), { sessionActions: { onStart: () => undefined } });
    await flow.start();
    expect(events).toEqual([]);
  });

  it("get the reason of a cancellation", async () => {
    const api = new FakeApi();
    const reasons: string[] = [];
    const { flow } = await open(api, { sessionActions: { onCancel: (_id, reason) => reasons.push(reason) } });
    await flow.cancel("I am ill.", true);
    expect(reasons).toEqual(["I am ill."]);
    expect(api.sent).toEqual([]);
  });
});

describe("a party who does not come", () => {
  it("is reported, which cancels the session", async () => {
    const api = new FakeApi();
    const { flow, events } = await open(api);
    flow.openDialog("no-show");
    api.answers = [session({ status: "cancelled" })];
    await flow.reportNoShow("mentor");
    expect(api.sent[0]).toMatchObject({ path: "/sessions/session-1/no-show", body: { who: "mentor" }, ifMatch: '"1-a"' });
    expect(flow.store.state).toMatchObject({ dialog: null, session: { status: "cancelled" }, notice: en.done["no-show"] });
    expect(events).toEqual(["cancelled"]);
  });

  it("has come after all, where the session was started meanwhile", async () => {
    const api = new FakeApi();
    const { flow } = await open(api);
    flow.openDialog("no-show");
    api.answers = [new ApiError(412, "stale")];
    api.session = session({ status: "in_progress", updatedAt: "2030-05-04T09:20:00Z" });
    await flow.reportNoShow("mentor");
    expect(flow.store.state).toMatchObject({ dialog: null, session: { status: "in_progress" }, error: { code: "stale" } });
  });
});

describe("the answer to a review", () => {
  const REVIEW = { id: "review-1", sessionId: "session-1", reviewer: "Ada L.", rating: 5, answer: null, createdAt: "2030-05-05T00:00:00Z" };

  async function openReviewed(api: FakeApi) {
    api.session = session({ status: "completed", completedAt: "2030-05-04T10:00:00Z" });
    api.quote = quote({ cancelledBy: "mentor", allowed: false });
    api.reviews = [REVIEW];
    const opened = await open(api);
    await settled(opened.flow, (state) => state.reviews.length > 0);
    opened.flow.openDialog("answer", opened.flow.store.state.reviews[0]);
    return opened;
  }

  it("is published once", async () => {
    const api = new FakeApi();
    const { flow } = await openReviewed(api);
    api.answers = [{ ...REVIEW, answer: "Thank you." }];
    await flow.answer("Thank you.");
    expect(api.sent[0]).toMatchObject({ path: "/sessions/session-1/review/answer", body: { answer: "Thank you.", reviewId: "review-1" } });
    expect(flow.store.state).toMatchObject({ dialog: null, reviews: [{ answer: "Thank you." }], notice: en.done.answer });
  });

  it("is not there to write again, where another tab has", async () => {
    const api = new FakeApi();
    const { flow } = await openReviewed(api);
    api.answers = [new ApiError(409, "already_answered")];
    api.reviews = [{ ...REVIEW, answer: "Thanks!" }];
    await flow.answer("Thank you.");
    await settled(flow, (state) => state.reviews[0]?.answer === "Thanks!");
    expect(flow.store.state).toMatchObject({ dialog: null, error: { code: "already_answered" } });
  });

  it("wants words", async () => {
    const api = new FakeApi();
    const { flow } = await openReviewed(api);
    await flow.answer("");
    expect(flow.store.state.fieldErrors["answer"]).toEqual([en.reviewing.answerMissing]);
    expect(api.sent).toEqual([]);
  });
});

describe("a series", () => {
  it("is not cancelled for more than what is shown", async () => {
    const api = new FakeApi();
    api.booking = booking({ seriesId: "series-1" });
    const { flow } = await open(api);
    flow.openDialog("series");
    await settled(flow, (state) => state.plan?.fee?.amount === 0);
    api.quote = quote({ late: true, fee: { amount: 4250, currency: "EUR" } });
    await flow.cancelSeries("I am ill.", true);
    expect(api.sent).toEqual([]);
    expect(flow.store.state).toMatchObject({ dialog: "series", notice: en.cancelling.costChanged, plan: { fee: { amount: 4250 } } });
    api.answers = [{ cancelled: ["booking-1"], kept: [] }];
    await flow.cancelSeries("I am ill.", true);
    expect(api.sent).toHaveLength(1);
  });
});

describe("cancelling", () => {
  it("asks for the refund that was shown", async () => {
    const api = new FakeApi();
    const { flow, events } = await open(api);
    api.answers = [session({ status: "cancelled" })];
    await flow.cancel("I am ill.", true);
    expect(api.sent[0]?.body).toEqual({ reason: "I am ill.", refundRequested: true });
    expect(events).toEqual(["cancelled"]);
  });

  it("shows a cost that has changed instead of cancelling", async () => {
    const api = new FakeApi();
    const { flow } = await open(api);
    api.quote = quote({ late: true, fee: { amount: 4250, currency: "EUR" }, refund: { amount: 4250, currency: "EUR" } });
    flow.openDialog("cancel");
    await settled(flow, (state) => state.quote?.late === true);
    api.quote = quote();
    await flow.cancel("I am ill.", true);
    expect(api.sent).toEqual([]);
    expect(flow.store.state).toMatchObject({ dialog: "cancel", notice: en.cancelling.costChanged, quote: { late: false } });
  });

  it("closes with the reason why, when it can no longer be cancelled", async () => {
    const api = new FakeApi();
    const { flow } = await open(api);
    flow.openDialog("cancel");
    api.quote = quote({ allowed: false });
    api.session = session({ status: "cancelled", updatedAt: "2030-05-02T00:00:00Z" });
    await flow.cancel("I am ill.", true);
    expect(api.sent).toEqual([]);
    expect(flow.store.state).toMatchObject({ dialog: null, error: { code: "stale" }, session: { status: "cancelled" } });
  });

  it("wants a reason", async () => {
    const api = new FakeApi();
    const { flow } = await open(api);
    await flow.cancel("  ", true);
    expect(flow.store.state.fieldErrors["reason"]).toEqual([en.cancelling.reasonMissing]);
    expect(api.sent).toEqual([]);
  });
});

describe("a session that others change", () => {
  it("is read again, and the change is shown", async () => {
    const api = new FakeApi();
    const { flow } = await open(api);
    api.session = session({ status: "in_progress", updatedAt: "2030-05-02T00:00:00Z" });
    flow.changed(api.session);
    await settled(flow, (state) => state.session?.status === "in_progress");
    expect(flow.store.state.notice).toBe(en.changed("In progress"));
  });

  it("is read after a step that failed, where it has changed during it", async () => {
    const api = new FakeApi();
    let fail: (reason: Error) => void = () => undefined;
    const onStart = (): Promise<void> => new Promise((_, reject) => (fail = reject));
    const { flow } = await open(api, { sessionActions: { onStart } });
    const started = flow.start();
    api.session = session({ status: "cancelled", updatedAt: "2030-05-02T00:00:00Z" });
    flow.changed(api.session);
    fail(new Error("The room is closed."));
    await started;
    await settled(flow, (state) => state.session?.status === "cancelled");
  });

  it("says that it is not known what may be done, until it is", async () => {
    const api = new FakeApi();
    const { flow } = await open(api);
    api.quote = new ApiError(503, "unavailable");
    api.session = session({ id: "session-2" });
    flow.open("session-2");
    await settled(flow, (state) => state.error !== null);
    expect(flow.store.state).toMatchObject({ phase: "ready", error: { code: "unavailable" } });
    api.quote = quote();
    await flow.load();
    expect(flow.store.state).toMatchObject({ error: null, quote: { cancelledBy: "mentee" } });
  });

  it("does not go back to an older answer", async () => {
    const api = new FakeApi();
    const { flow } = await open(api);
    api.answers = [session({ status: "in_progress", updatedAt: "2030-05-02T00:00:00Z" })];
    await flow.start();
    await flow.load();
    expect(flow.store.state.session?.status).toBe("in_progress");
  });
});

describe("a dialog that is closed", () => {
  it("cancels nothing that was not sent yet", async () => {
    const api = new FakeApi();
    const { flow, events } = await open(api);
    flow.openDialog("cancel");
    let answer = (_quote: CancellationQuote): void => undefined;
    const held = new Promise<CancellationQuote>((resolve) => (answer = resolve));
    Object.defineProperty(api, "quote", { get: () => held });
    const cancelling = flow.cancel("I am ill.", false);
    flow.closeDialog();
    answer(quote());
    await cancelling;
    expect(api.sent).toEqual([]);
    expect(flow.store.state).toMatchObject({ session: { status: "scheduled" }, doing: null, error: null });
    expect(events).toEqual([]);
  });

  it("leaves what is on its way", async () => {
    const api = new FakeApi();
    const { flow, events } = await open(api);
    flow.openDialog("complete");
    api.answers = [session({ status: "completed" })];
    const completing = flow.complete({});
    flow.closeDialog();
    await completing;
    expect(events).toEqual(["completed"]);
  });
});

describe("moving", () => {
  const proposal = { id: "p1", startTime: "2030-05-06T09:00:00Z", proposedBy: "mentee", expiresAt: "2030-05-03T09:00:00Z", reason: null, status: "open" } as const;

  it("shows the proposal that was made, and the session as it stands", async () => {
    const api = new FakeApi();
    const { flow, events } = await open(api);
    flow.openDialog("move");
    api.session = session({ proposal });
    api.answers = [{ proposal }];
    await flow.move("reschedule", { startTime: proposal.startTime }, "Sent.");
    expect(api.sent[0]).toMatchObject({ path: "/sessions/session-1/reschedule", ifMatch: '"1-a"' });
    expect(flow.store.state).toMatchObject({ session: { proposal }, dialog: null, notice: "Sent.", doing: null });
    expect(events).toEqual([]);
  });

  it("tells of a session that was moved at once, although it cannot be read", async () => {
    const api = new FakeApi();
    const { flow, events } = await open(api);
    const moved = session({ startTime: proposal.startTime, updatedAt: "2030-05-01T13:00:00Z" });
    api.session = moved;
    api.answers = [moved, moved];
    await flow.move("reschedule", { startTime: proposal.startTime }, "Moved.");
    expect(events).toEqual(["rescheduled"]);
    Object.defineProperty(api, "session", { get: () => Promise.reject(new ApiError(0, "network")) });
    expect(await flow.move("proposals/p1/withdraw", {}, "Withdrawn.")).toBeNull();
    expect(flow.store.state).toMatchObject({ notice: "Withdrawn.", error: null });
  });

  it("shows why it was refused, and keeps the dialog", async () => {
    const api = new FakeApi();
    const { flow } = await open(api);
    flow.openDialog("move");
    api.answers = [new ApiError(409, "slot_taken")];
    expect(await flow.move("reschedule", {}, "Sent.")).toMatchObject({ code: "slot_taken" });
    expect(flow.store.state).toMatchObject({ dialog: "move", error: { code: "slot_taken" } });
  });

  it("sees a proposal that the other side makes meanwhile, and a new time", async () => {
    const api = new FakeApi();
    const { flow } = await open(api);
    api.session = session({ proposal: { ...proposal, proposedBy: "mentor" } });
    flow.changed(api.session);
    await settled(flow, (state) => state.notice === en.proposed);
    api.session = session({ startTime: proposal.startTime, updatedAt: "2030-05-01T13:00:00Z" });
    flow.changed(api.session);
    await settled(flow, (state) => state.notice === en.moved);
  });
});
