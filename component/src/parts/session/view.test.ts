import { LitElement, render } from "lit";
import { afterEach, describe, expect, it, vi } from "vitest";
import { ApiError } from "../../api/errors.js";
import type { CancellationQuote, Review } from "../../api/types.js";
import type { PartContext } from "../../booking/contracts.js";
import type { SessionFlow } from "./flow.js";
import { initialSessionState, type DialogName, type SessionState } from "./state.js";
import { de } from "../../i18n/enhanced/de.js";
import { en, type SessionWords } from "../../i18n/enhanced/words.js";
import { renderSession } from "./view.js";
import { de as basicDe } from "../../i18n/de.js";
import { en as basicEn } from "../../i18n/language.js";
import { booking, quote, session } from "../../../tests/session-fixtures.js";

const START = Date.parse(session().startTime);
const REVIEW = { id: "r1", reviewer: "Ada L.", rating: 4, comment: "Clear.", answer: null, createdAt: "2030-05-05T08:00:00Z" } as Review;
const root = document.createElement("div");

function show(change: Partial<SessionState>, words: SessionWords = en, flow: Partial<SessionFlow> = {}): HTMLElement {
  const isGerman = words === de;
  const context = {
    element: LitElement.prototype,
    options: { showSessionActions: true, sessionStatus: null, signInUrl: null },
    words: isGerman ? basicDe : basicEn,
  } as unknown as PartContext;
  const known = { phase: "ready", session: session(), booking: booking(), quote: quote() } as const;
  const state = { ...initialSessionState(START), ...known, ...change };
  const view = { context, flow: flow as SessionFlow, state, words, locale: isGerman ? "de" : "en", zone: "Europe/Berlin" };
  render(renderSession(view), root);
  return root;
}

const textOf = (element: Element): string => (element.textContent ?? "").replace(/\s+/g, " ");

afterEach(() => render("", root));

describe("what people wrote", () => {
  it("is text, whatever is in it", () => {
    const nasty = '<img src="x" onerror="alert(1)">';
    const written = { title: nasty, description: nasty, notes: nasty, feedback: nasty, actionItems: [nasty] };
    const shown = show({ session: session({ ...written, status: "completed" }), reviews: [{ ...REVIEW, comment: nasty, answer: nasty }] });
    expect(shown.querySelector("img")).toBeNull();
    expect(textOf(shown).split("onerror")).toHaveLength(8);
  });

  it("shows the answers to the questions that were asked", () => {
    const asked = { id: "a", label: "<img src=x onerror=alert(1)> Adult?", kind: "yes_no", value: false } as const;
    const answers = [asked, { id: "b", label: "Goal?", kind: "text", value: "<i>Bold</i>" } as const];
    const shown = show({ session: session({ answers }) });
    expect(shown.querySelector("img, i")).toBeNull();
    for (const text of ["Adult?", "No", "Goal?", "<i>Bold</i>"]) expect(textOf(shown)).toContain(text);
  });

  it("has the direction of its own language", () => {
    const shown = show({ session: session({ notes: "مرحبا", actionItems: ["اقرأ"] }) });
    expect([...shown.querySelectorAll("[dir=auto]")].map(textOf)).toEqual(["مرحبا", "اقرأ"]);
  });

  it.each(["javascript:alert(1)", "data:text/html,<script>alert(1)</script>", " javascript:alert(1)"])("is no link: %s", (value) => {
    const shown = show({ session: session({ joinUrl: value, location: { kind: "address", value } }) });
    expect(shown.querySelector("a")).toBeNull();
  });
});

describe("in German", () => {
  const english = new Set<string>();
  const collect = (words: object): void => {
    for (const word of Object.values(words)) {
      if (typeof word === "object" && word) collect(word as object);
      else if (typeof word === "string" && word.length > 3) english.add(word);
    }
  };
  [en, basicEn].forEach(collect);
  [de, basicDe].forEach(function shared(words: object): void {
    for (const word of Object.values(words)) typeof word === "object" && word ? shared(word as object) : english.delete(String(word));
  });
  const asMentor = quote({ cancelledBy: "mentor" });
  const late = START + 20 * 60_000;
  const states: [string, Partial<SessionState>][] = [
    ["a session ahead", { now: START - 86_400_000 }],
    ["a session that no one came to", { now: late, quote: asMentor }],
    ["a completed one with its review", { session: session({ status: "completed", notes: "…" }), quote: asMentor, reviews: [REVIEW] }],
    ["a cancelled one", { session: session({ status: "cancelled", cancelledAt: "2030-05-03T00:00:00Z" }) }],
    ["one that is not known", { phase: "failed", session: null, error: new ApiError(404, "not_found") }],
    ...(["complete", "cancel", "review", "series", "answer", "no-show"] as DialogName[]).map((dialog): [string, Partial<SessionState>] => [
      `the dialog ${dialog}`,
      {
        dialog,
        now: late,
        quote: dialog === "cancel" ? quote({ late: true, fee: { amount: 4250, currency: "EUR" } }) : asMentor,
        answering: REVIEW,
        plan: { items: [{ startTime: session().startTime, isDraft: true }], fee: null, refund: null, credits: 1 },
      },
    ]),
  ];

  it.each(states)("%s has no English words", (_, state) => {
    const shown = show(state, de);
    const texts = [...shown.querySelectorAll("*")]
      .flatMap((each) => [...each.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.textContent?.trim() ?? ""))
      .concat([...shown.querySelectorAll("[aria-label]")].map((each) => each.getAttribute("aria-label") ?? ""));
    expect(texts.filter((text) => english.has(text))).toEqual([]);
    expect(texts.join("").length).toBeGreaterThan(20);
  });
});

describe("the dialog that cancels", () => {
  const typesOf = (shown: HTMLElement): string[] => [...shown.querySelectorAll<HTMLOptionElement>("#type option")].map(({ value }) => value);

  it.each(["cancel", "series"] as const)("offers the types that the visitor may give: %s", (dialog) => {
    const plan = { items: [{ startTime: session().startTime, isDraft: false }], fee: null, refund: null, credits: 0 };
    const types = (by: CancellationQuote["cancelledBy"]): string[] => typesOf(show({ dialog, plan, quote: quote({ cancelledBy: by }) }));
    expect(types("mentee")).toEqual(["client_request", "emergency", "other"]);
    expect(types("mentor")).toEqual(["coach_request", "emergency", "other"]);
    expect(types("operator")).toEqual([]);
  });

  it("sends the chosen one", () => {
    const cancel = vi.fn();
    const shown = show({ dialog: "cancel" }, en, { cancel });
    (shown.querySelector("#type") as HTMLSelectElement).value = "emergency";
    (shown.querySelector("#reason") as HTMLTextAreaElement).value = "I am ill.";
    shown.querySelector("form")?.dispatchEvent(new Event("submit", { cancelable: true }));
    expect(cancel).toHaveBeenCalledWith("I am ill.", true, "emergency");
  });
});

describe("a session that costs nothing", () => {
  const nothing = { amount: 0, currency: "EUR" };
  const free = { booking: booking({ price: nothing }), quote: quote({ refund: nothing }), now: START - 7 * 86_400_000 };

  it.each([undefined, "cancel"] as const)("has no day until which cancelling is free: %s", (dialog) => {
    const shown = textOf(show({ ...free, dialog: dialog ?? null }));
    expect(shown).not.toContain("until May");
    expect(shown).toContain(dialog ? en.cancelling.noFee : basicEn.form.alwaysFree);
  });

  it("is not one that a bundle pays", () => {
    const paid = quote({ refund: nothing, creditReturned: true });
    expect(textOf(show({ ...free, quote: paid }))).toContain("Free of charge until May 3");
  });
});

describe("the credit of a bundle that a cancellation returns", () => {
  const dialog = { dialog: "cancel", now: START - 48 * 3_600_000 } as const;
  const returned = { creditReturned: true, refund: { amount: 0, currency: "EUR" } };

  it.each([
    [null, en.cancelling.creditBack],
    ["2999-01-01T12:00:00Z", "The session goes back to the bundle, which can be used until"],
    ["2020-01-01T12:00:00Z", "The session of the bundle cannot be used again: the bundle ended on"],
  ])("can be used until %s", (creditValidTo, said) => {
    expect(textOf(show({ ...dialog, quote: quote({ ...returned, creditValidTo }) }))).toContain(said);
  });
});

describe("the dialog about a party who did not come", () => {
  const dialog = { dialog: "no-show", now: START + 20 * 60_000 } as const;

  it("names what the mentee owes", () => {
    const shown = show({ ...dialog, quote: quote({ cancelledBy: "mentor" }) });
    expect(textOf(shown)).toContain("Did Ada Lovelace not come?");
    expect(textOf(shown)).toContain("Ada Lovelace owes €42.50.");
  });

  it("names what comes back where the mentor stayed away", () => {
    expect(textOf(show(dialog))).toContain("Did Grace Hopper not come? The session will be cancelled. Everything is paid back.");
  });

  it("names the session of the bundle", () => {
    const paid = { booking: booking({ bundlePurchaseId: "b1", price: { amount: 0, currency: "EUR" } }) };
    expect(textOf(show({ ...dialog, ...paid, quote: quote({ cancelledBy: "mentor" }) }))).toContain(en.cancelling.creditSpent);
  });

  it("asks operators who it was", () => {
    const shown = show({ ...dialog, quote: quote({ cancelledBy: "operator" }) });
    expect([...shown.querySelectorAll<HTMLInputElement>("input[name=who]")].map((input) => input.value)).toEqual(["mentee", "mentor"]);
  });
});
