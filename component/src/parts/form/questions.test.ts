import { render } from "lit";
import { describe, expect, it } from "vitest";
import type { Question } from "../../api/types.js";
import type { View } from "../../booking/contracts.js";
import { de } from "../../i18n/de.js";
import { en } from "../../i18n/language.js";
import { type FakeApi, type Started, LISTING, SESSION, SLOT, beginAtNow, booking, offeringApi, refusal, settle, startFlow } from "../../../tests/fake-api.js";
import { renderForm } from "./form.js";

const QUESTIONS: Question[] = [
  { id: "q1", label: "What do you want to learn?", kind: "text", required: true },
  { id: "q2", label: "Your level", kind: "choice", choices: ["Beginner", "Advanced"], required: true },
  { id: "q3", label: "Is it your first session?", kind: "yes_no", required: false },
];
const BOOK = "POST /sessions/book";

function askingApi(): FakeApi {
  const listing = { ...LISTING, questions: QUESTIONS };
  return offeringApi()
    .on("GET /listings", { status: 200, body: { items: [listing], nextCursor: null } })
    .on("GET /listings/l1", { status: 200, body: listing })
    .on(BOOK, { status: 201, body: { booking: booking(), session: SESSION } });
}

async function chosen(): Promise<Started> {
  const started = await startFlow();
  started.flow.chooseSlot(SLOT);
  await settle();
  return started;
}

/** The form, as it is rendered now. */
function page({ flow, store }: Started, words = en): HTMLElement {
  const root = document.createElement("div");
  const view = { state: store.state, flow, words, locale: words.code, now: Date.now(), course: null, enhanced: null, realtime: null };
  render(renderForm({ ...view, signInUrl: null } as View), root);
  return root;
}

function fill(started: Started, answers: Record<string, string>): void {
  for (const [id, value] of Object.entries(answers)) {
    const field = page(started).querySelector<HTMLInputElement | HTMLSelectElement>(`#answer-${id}`);
    if (!field) throw new Error(`There is no field ${id}.`);
    field.value = value;
    field.dispatchEvent(new Event(field.localName === "select" ? "change" : "input"));
  }
}

const bodyOf = (api: FakeApi, at = 0): Record<string, unknown> => JSON.parse(api.called(BOOK)[at]?.body ?? "{}") as Record<string, unknown>;
const errorAt = (root: HTMLElement, id: string): string | null | undefined => root.querySelector(`#answer-${id}-error`)?.textContent;

beginAtNow();

describe("the questions of a listing", () => {
  it("have a field each, with a label, a choice, and whether they may be left out", async () => {
    askingApi();
    const root = page(await chosen());
    const labelOf = (id: string): string => root.querySelector(`label[for="answer-${id}"]`)?.textContent?.replace(/\s+/g, " ").trim() ?? "";
    expect(["q1", "q2", "q3"].map(labelOf)).toEqual(["What do you want to learn?", "Your level", "Is it your first session? (optional)"]);
    const options = (id: string): string[] => [...root.querySelectorAll(`#answer-${id} option`)].map((each) => each.textContent ?? "");
    expect(options("q2")).toEqual(["Please choose", "Beginner", "Advanced"]);
    expect(options("q3")).toEqual(["–", "Yes", "No"]);
    expect(root.querySelector("#answer-q1")?.hasAttribute("required")).toBe(true);
  });

  it("are asked in German, too", async () => {
    askingApi();
    const root = page(await chosen(), de);
    expect(root.textContent).toContain("Bitte auswählen");
    expect(root.textContent).toContain("Ja");
  });

  it("are not sent while one that is required has no answer, and keep the others", async () => {
    const api = askingApi();
    const started = await chosen();
    fill(started, { q1: "Algebra" });
    await started.flow.submit();
    expect(api.called(BOOK)).toEqual([]);
    const root = page(started);
    expect([errorAt(root, "q1"), errorAt(root, "q2")]).toEqual(["", "Please answer this question."]);
    expect(root.querySelector("#answer-q2")?.getAttribute("aria-invalid")).toBe("true");
    expect((root.querySelector("#answer-q1") as HTMLTextAreaElement).value).toBe("Algebra");
  });

  it("are sent with what was answered", async () => {
    const api = askingApi();
    const started = await chosen();
    fill(started, { q1: " Algebra ", q2: "Advanced", q3: "no" });
    await started.flow.submit();
    expect(bodyOf(api)["answers"]).toEqual({ q1: "Algebra", q2: "Advanced", q3: false });
  });

  it("leave out what has no answer", async () => {
    const api = askingApi();
    const started = await chosen();
    fill(started, { q1: "Algebra", q2: "Advanced", q3: "" });
    await started.flow.submit();
    expect(bodyOf(api)["answers"]).toEqual({ q1: "Algebra", q2: "Advanced" });
  });

  it("show the API's reasons at their fields, and are kept", async () => {
    const details = { "answers.q1": ["Longer than maximum length 2000."] };
    const api = askingApi().on(BOOK, refusal(400, "invalid_request", { details }));
    const started = await chosen();
    fill(started, { q1: "Algebra", q2: "Advanced" });
    await started.flow.submit();
    expect(errorAt(page(started), "q1")).toBe("Longer than maximum length 2000.");
    expect(started.store.state.submission.kind).toBe("none");
    expect(bodyOf(api)["answers"]).toEqual({ q1: "Algebra", q2: "Advanced" });
    expect((page(started).querySelector("#answer-q1") as HTMLTextAreaElement).value).toBe("Algebra");
  });

  it("that came meanwhile are shown, with what is missing", async () => {
    const asked: Question = { id: "q9", label: "Anything else?", kind: "text", required: true };
    const api = askingApi().on(BOOK, refusal(400, "invalid_request", { details: { "answers.q9": ["Missing data for required field."] } }));
    const started = await chosen();
    fill(started, { q1: "Algebra", q2: "Advanced" });
    api.on("GET /listings/l1", { status: 200, body: { ...LISTING, questions: [...QUESTIONS, asked] } });
    await started.flow.submit();
    await settle();
    expect(errorAt(page(started), "q9")).toBe("Missing data for required field.");
    fill(started, { q9: "No." });
    api.on(BOOK, { status: 201, body: { booking: booking(), session: SESSION } });
    await started.flow.submit();
    expect(bodyOf(api, 1)["answers"]).toEqual({ q1: "Algebra", q2: "Advanced", q9: "No." });
  });

  it("survive a reload of the page", async () => {
    askingApi();
    const before = await chosen();
    fill(before, { q1: "Algebra" });
    before.end();
    const after = await startFlow();
    await settle();
    expect((page(after).querySelector("#answer-q1") as HTMLTextAreaElement).value).toBe("Algebra");
  });
});
