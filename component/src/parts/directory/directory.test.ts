import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { SessionBooking } from "../../session-booking.js";
import { MENTOR, offeringApi } from "../../../tests/fake-api.js";

const root = (element: SessionBooking): ShadowRoot => element.shadowRoot as ShadowRoot;
const found = <T>(look: () => T | null): Promise<T> => vi.waitFor(() => look() ?? Promise.reject(new Error("not yet")));

beforeEach(() => sessionStorage.clear());
afterEach(() => {
  document.body.replaceChildren();
  vi.unstubAllGlobals();
});

it("leads on to the first of the mentors who are added", async () => {
  const pages = [
    { items: [MENTOR], nextCursor: "second" },
    { items: [{ ...MENTOR, id: "m2", name: "Ada Lovelace" }], nextCursor: null },
  ];
  offeringApi().on("GET /mentors", ({ query }) => ({ status: 200, body: pages[query.has("cursor") ? 1 : 0] }));
  const element = new SessionBooking();
  element.api = "http://api.test";
  element.token = "t";
  document.body.append(element);
  const more = await found(() => root(element).querySelector<HTMLElement>("section > button"));
  more.focus();
  more.click();
  const focused = (): HTMLElement | null => root(element).activeElement as HTMLElement | null;
  const added = await found(() => (focused()?.getAttribute("aria-label")?.includes("Ada Lovelace") ? focused() : null));
  added.blur();
});

it("offers mentors to choose from where the page names none, and the way back", async () => {
  const api = offeringApi().on("GET /mentors", { status: 200, body: { items: [MENTOR], nextCursor: null } });
  const element = new SessionBooking();
  element.api = "http://api.test";
  element.token = "t";
  element.words = { parts: { directory: { choose: "Voir les heures" } } };
  document.body.append(element);
  const choose = await found(() => root(element).querySelector<HTMLElement>("li.offer button"));
  expect(choose.textContent).toContain("Voir les heures");
  expect(api.called("GET /listings")).toEqual([]);
  choose.click();
  await found(() => root(element).querySelector("table"));
  expect(api.called("GET /mentors/m1")).toHaveLength(1);
  root(element).querySelector<HTMLElement>("button.link")?.click();
  await found(() => root(element).querySelector("li.offer button"));
  expect(root(element).querySelector("table")).toBeNull();
});
