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
