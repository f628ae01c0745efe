import { LitElement, render } from "lit";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Booking, Proposal, Session } from "../../api/types.js";
import type { MovedSession, PartContext } from "../../booking/contracts.js";
import { ApiError } from "../../api/errors.js";
import { initialState } from "../../booking/state.js";
import { Store } from "../../core/store.js";
import { de } from "../../i18n/de.js";
import { en } from "../../i18n/language.js";
import { FakeApi, NOW, makeClient, slot } from "../../../tests/fake-api.js";
import { booking, session } from "../../../tests/session-fixtures.js";
import { Moving } from "./moving.js";

const POLICY = { mode: "by_agreement", windowHours: 24, maxTimes: 2 } as const;
const BOOKING: Booking = booking({ reschedule: POLICY });
const PROPOSAL: Proposal = {
  ...{ id: "p1", startTime: "2030-05-06T09:00:00Z", proposedBy: "mentor", reason: "I am away.", status: "open" },
  expiresAt: "2030-05-03T09:00:00Z",
};
const FREE = [slot("2030-05-05T09:00:00Z"), slot("2030-05-05T11:00:00Z")];

let api: FakeApi;
let ended: AbortController;

beforeEach(() => {
  vi.useFakeTimers({ now: NOW });
  ended = new AbortController();
  api = new FakeApi().on("GET /mentors/mentor-1/slots", { status: 200, body: { durationMinutes: 60, items: FREE } });
});
afterEach(() => {
  ended.abort();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function made(change: Partial<MovedSession> = {}, words = en) {
  const context = {
    signal: ended.signal,
    element: { requestUpdate: () => undefined, updateComplete: Promise.resolve(true), shadowRoot: null } as unknown as LitElement,
    client: makeClient(),
    store: new Store(initialState("UTC", "2030-05-01")),
    options: { locale: words.code, signInUrl: null },
    words,
  } as unknown as PartContext;
  const part = new Moving(context);
  const send = vi.fn<MovedSession["send"]>(() => Promise.resolve(null));
  const close = vi.fn();
  const moved: MovedSession = {
    ...{ session: session(), booking: BOOKING, role: "mentee", isAtOnce: false, mayAct: true, isBusy: false },
    ...{ error: "" as unknown as MovedSession["error"], send, close, ...change },
  };
  const page = (what: "renderDialog" | "renderProposal" = "renderDialog"): HTMLElement => {
    const root = document.createElement("div");
    render(part[what](moved), root);
    return root;
  };
  return { send, close, page, moved };
}

const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);
const proposed = (change: Partial<Proposal> = {}): Session => session({ proposal: { ...PROPOSAL, ...change } });
const textOf = (root: HTMLElement): string => root.textContent?.replace(/\s+/g, " ") ?? "";

async function choosing(change: Partial<MovedSession> = {}) {
  const found = made(change);
  found.page();
  await settle();
  const times = found.page().querySelectorAll<HTMLButtonElement>("button.slot");
  return { ...found, times };
}

describe("the choice of another time", () => {
  it("is among the free times of the mentor, for the session's length and listing", async () => {
    const { times } = await choosing();
    expect([...times].map((each) => each.dataset["start"])).toEqual(FREE.map((each) => each.startTime));
    const [asked] = api.called("GET /mentors/mentor-1/slots");
    expect([asked?.query.get("listingId"), asked?.query.get("durationMinutes")]).toEqual(["listing-1", "60"]);
  });

  it.each([
    [false, "Propose this time", "Your proposal has been sent."],
    [true, "Move the session", "The session has been moved."],
  ])("is sent with its reason, and says whether the session moves at once: %s", async (isAtOnce, label, done) => {
    const { page, send, times } = await choosing({ isAtOnce });
    times[1]?.click();
    const root = page();
    expect(root.querySelector(".primary")?.textContent).toBe(label);
    expect(textOf(root)).toContain("It will startMay 5, 2030, 11:00");
    expect(root.querySelector("label")?.getAttribute("for")).toBe("move-reason");
    (root.querySelector("textarea") as HTMLTextAreaElement).value = " I am ill. ";
    root.querySelector("form")?.dispatchEvent(new Event("submit", { cancelable: true }));
    expect(send).toHaveBeenCalledExactlyOnceWith("reschedule", { startTime: FREE[1]?.startTime, reason: "I am ill." }, done);
  });

  it("is not sent twice while it is being sent", async () => {
    const { moved, page, send, times } = await choosing();
    times[0]?.click();
    moved.isBusy = true;
    page().querySelector("form")?.dispatchEvent(new Event("submit", { cancelable: true }));
    expect(send).not.toHaveBeenCalled();
  });

  it("goes on among the other times where one was taken meanwhile", async () => {
    const { page, send, times } = await choosing();
    send.mockResolvedValueOnce(new ApiError(409, "slot_taken"));
    times[0]?.click();
    api.on("GET /mentors/mentor-1/slots", { status: 200, body: { durationMinutes: 60, items: FREE.slice(1) } });
    page().querySelector("form")?.dispatchEvent(new Event("submit", { cancelable: true }));
    await settle();
    const left = [...page().querySelectorAll<HTMLElement>("button.slot")].map((each) => each.dataset["start"]);
    expect(left).toEqual([FREE[1]?.startTime]);
  });

  it("keeps the chosen time after a lost connection", async () => {
    const { page, send, times } = await choosing();
    send.mockResolvedValueOnce(new ApiError(0, "network"));
    times[0]?.click();
    page().querySelector("form")?.dispatchEvent(new Event("submit", { cancelable: true }));
    await settle();
    expect(page().querySelector("#move-reason")).not.toBeNull();
  });

  it("is begun again for the next move", async () => {
    const { moved, page, times } = await choosing();
    times[0]?.click();
    page().querySelector("form")?.dispatchEvent(new Event("submit", { cancelable: true }));
    await settle();
    moved.session = session({ startTime: FREE[0]?.startTime ?? "" });
    page();
    await settle();
    expect(page().querySelectorAll("button.slot")).toHaveLength(2);
  });
});

describe("a proposal", () => {
  it("is accepted or declined by the other side, which sees when it expires", () => {
    const { page, send } = made({ session: proposed() });
    const root = page("renderProposal");
    expect(textOf(root)).toContain("Grace Hopper proposes to move it to May 6, 2030, 9:00");
    expect(textOf(root)).toContain("The proposal expires on May 3, 2030, 9:00");
    expect(textOf(root)).toContain("I am away.");
    expect(root.querySelector("[role=status]")).not.toBeNull();
    for (const step of ["accept", "decline"]) root.querySelector<HTMLElement>(`[data-action=${step}]`)?.click();
    expect(send.mock.calls.map(([path]) => path)).toEqual(["proposals/p1/accept", "proposals/p1/decline"]);
    expect(root.querySelector("[data-action=withdraw]")).toBeNull();
  });

  it("is withdrawn by who made it", () => {
    const { page, send } = made({ session: proposed(), role: "mentor" });
    const root = page("renderProposal");
    expect(textOf(root)).toContain("You have proposed to move it to");
    root.querySelector<HTMLElement>("[data-action=withdraw]")?.click();
    expect(send).toHaveBeenCalledExactlyOnceWith("proposals/p1/withdraw", {}, "Your proposal has been withdrawn.");
    expect(root.querySelectorAll("button")).toHaveLength(1);
  });

  it.each([
    ["that has expired", { session: proposed({ expiresAt: "2030-04-30T00:00:00Z" }) }],
    ["where actions are not wanted", { session: proposed(), mayAct: false }],
    ["of the parties, to an organiser", { session: proposed(), role: "operator" as const }],
  ])("is not answered: one %s", (_, change) => {
    const root = made(change).page("renderProposal");
    expect(textOf(root)).toContain("May 6, 2030");
    expect(root.querySelectorAll("button")).toHaveLength(0);
  });

  it("is not answered twice", () => {
    const { page, send } = made({ session: proposed(), isBusy: true });
    page("renderProposal").querySelector<HTMLElement>("[data-action=accept]")?.click();
    expect(send).not.toHaveBeenCalled();
  });

  it("is told in German, too", () => {
    const root = made({ session: proposed() }, de).page("renderProposal");
    expect(textOf(root)).toContain("Grace Hopper schlägt vor, sie auf 06.05.2030, 09:00 zu verlegen.");
  });

  it("is nothing where there is none", () => {
    expect(textOf(made().page("renderProposal"))).toBe("");
  });
});
