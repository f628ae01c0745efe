import { LitElement, render } from "lit";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { initialState, type BookingState } from "../../booking/state.js";
import type { PartContext } from "../../booking/contracts.js";
import { SeriesForm } from "./series.js";
import { extrasEn } from "../../i18n/enhanced/extras-en.js";
import { en } from "../../i18n/enhanced/words.js";
import { Store } from "../../core/store.js";
import { FakeApi, LISTING, MENTOR, SLOT, makeClient } from "../../../tests/fake-api.js";

const words = { ...en, ...extrasEn };

let form: SeriesForm;
let ended: AbortController;
let api: FakeApi;
const root = document.createElement("div");

function open(slot = SLOT) {
  const store = new Store<BookingState>({
    ...initialState("Europe/Berlin", "2030-05-01"),
    ...{ slot, slotMentorId: "m1", mentorId: "m1", listing: LISTING, durationMinutes: 60, offers: [{ mentor: MENTOR, listings: [LISTING] }] },
  });
  ended = new AbortController();
  const context = {
    ...{ signal: ended.signal, client: makeClient(), store, flow: {}, words: { code: "en" }, options: { locale: "en" }, element: LitElement.prototype },
  } as unknown as PartContext;
  form = new SeriesForm(context, () => words);
  return { store };
}

function shown(): string {
  render(form.render(), root);
  return (root.textContent ?? "").replace(/\s+/g, " ");
}

/** Sets a field as people do. */
function fill(selector: string, value: string): void {
  shown();
  const field = root.querySelector(selector) as HTMLInputElement;
  field.value = value;
  field.dispatchEvent(new Event(field.type === "number" ? "input" : "change"));
}

beforeEach(() => {
  api = new FakeApi().on("GET /mentors/m1/slots", ({ query }) => {
    const startTime = query.get("from") as string;
    const isTaken = startTime.startsWith("2030-05-18");
    const one = { startTime, endTime: startTime, mentorProfileIds: ["m1"], mentorProfileId: "m1", reason: "busy" };
    return { status: 200, body: { items: isTaken ? [] : [one], refused: isTaken ? [one] : [] } };
  });
});

afterEach(() => {
  ended.abort();
  render("", root);
});

it("says which dates are free, and what those cost together", async () => {
  open();
  fill("#series-every", "1");
  fill("#series-count", "3");
  await vi.waitFor(() => expect(shown()).toContain("2 dates are free"));
  expect(shown()).toContain("not free: already taken");
  expect(form.body()).toMatchObject({ recurrence: { count: 3, everyWeeks: 1, onConflict: "skip" } });
  expect(form.hasMistake()).toBe(false);
  // The first has been chosen among the free times.
  const asked = api.called("GET /mentors/m1/slots").map(({ query }) => query.get("from")?.slice(0, 10));
  expect(asked).not.toContain("2030-05-04");
});

it("counts what is paid, and says in the result why a date was left out as it did in the form", async () => {
  open();
  fill("#series-every", "1");
  fill("#series-count", "3");
  await vi.waitFor(() => expect(shown()).toContain("2 dates are free"));
  expect(form.sessions()).toBe(2);
  const label = words.repeat.taken(words.refused.reasons.busy);
  expect(shown()).toContain(label);
  const left = { startTime: "2030-05-18T09:00:00Z", code: "slot_taken", message: "Taken." };
  const unseen = { startTime: "2030-06-18T09:00:00Z", code: "outside_hours", message: "Not then." };
  render(form.renderResult({ id: "s", made: [], skipped: [left, unseen] }), root);
  expect(root.textContent).toContain(label);
  expect(root.textContent).toContain(words.repeat.taken(words.refused.reasons.outside_hours));
});

it("counts taken dates of a request, which the mentor decides", async () => {
  const { store } = open();
  store.update({ listing: { ...LISTING, bookingMode: "request" } });
  fill("#series-every", "1");
  fill("#series-count", "3");
  await vi.waitFor(() => expect(shown()).toContain(words.repeat.takenRequest));
  expect(form.sessions()).toBe(3);
  expect(shown()).not.toContain(words.repeat.taken(""));
});

it("keeps the reason that the form has told where the API has one code for two", async () => {
  api.on("GET /mentors/m1/slots", ({ query }) => {
    const away = { startTime: query.get("from"), mentorProfileId: "m1", reason: "time_off" };
    return { status: 200, body: { items: [], refused: [away] } };
  });
  open();
  fill("#series-every", "1");
  fill("#series-count", "2");
  await vi.waitFor(() => expect(shown()).toContain(words.refused.reasons.time_off));
  const left = { startTime: "2030-05-11T09:00:00Z", code: "outside_hours", message: "Not then." };
  render(form.renderResult({ id: "s", made: [], skipped: [left] }), root);
  expect(root.textContent).toContain(words.refused.reasons.time_off);
});

it.each([
  ["1", words.repeat.badCount],
  ["", words.repeat.badCount],
  ["53", words.repeat.badCount],
])("is not sent with %j as its number", (count, sentence) => {
  open();
  fill("#series-every", "1");
  fill("#series-count", count);
  expect(shown()).toContain(sentence);
  expect(form.hasMistake()).toBe(true);
  expect(root.querySelector("#series-count")?.getAttribute("aria-invalid")).toBe("true");
});

it("asks again for another time, and is over with the form", async () => {
  const { store } = open();
  fill("#series-every", "1");
  fill("#series-count", "2");
  await vi.waitFor(() => expect(shown()).toContain("2 dates are free"));
  store.update({ slot: { ...SLOT, startTime: "2030-05-11T09:00:00Z" } });
  await vi.waitFor(() => expect(shown()).toContain("1 date is free"));
  store.update({ slot: null });
  expect(form.body()).toEqual({});
});
