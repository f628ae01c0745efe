import { afterEach, beforeEach, expect, it, vi } from "vitest";
import "../session-booking.js";
import { ApiError } from "../api/errors.js";
import { offeringApi } from "../../tests/fake-api.js";

// As after an upgrade of the server: the files are gone.
vi.mock("../parts/session/session.js", () => Promise.reject(new TypeError("Failed to fetch dynamically imported module")));
vi.mock("./extras.js", () => Promise.reject(new TypeError("Failed to fetch dynamically imported module")));
vi.mock("../parts/realtime/realtime.js", () => Promise.reject(new TypeError("Failed to fetch dynamically imported module")));
vi.mock("../parts/directory/directory.js", () => Promise.reject(new TypeError("Failed to fetch dynamically imported module")));
vi.mock("../parts/course/course.js", () => Promise.reject(new TypeError("Failed to fetch dynamically imported module")));
vi.mock("../i18n/enhanced/de.js", () => Promise.reject(new TypeError("Failed to fetch dynamically imported module")));

const SENTENCE = "Part of this page is missing. Please load it again.";
const reload = vi.spyOn(location, "reload").mockImplementation(() => undefined);

beforeEach(() => {
  sessionStorage.clear();
  offeringApi().on("GET /component/config.json", { status: 200, body: { telemetryPercent: 0 } });
});
afterEach(() => {
  document.body.replaceChildren();
  reload.mockClear();
});

function open(attributes: string): ShadowRoot {
  document.body.innerHTML = `<session-booking api="http://api.test" token-url="/token" ${attributes}></session-booking>`;
  return document.querySelector("session-booking")?.shadowRoot as ShadowRoot;
}

const textOf = (root: ShadowRoot): string => root.textContent ?? "";

it.each([
  ["a session", 'session="s1"'],
  ["what is added to booking", 'mentor="m1" variant="enhanced"'],
  ["live updates", 'mentor="m1" variant="realtime"'],
  ["courses", 'course="c1"'],
  ["the mentors to choose from", ""],
])("asks to load the page again where the part of %s is gone", async (_, attributes) => {
  const root = open(attributes);
  await vi.waitFor(() => expect(textOf(root)).toContain(SENTENCE), 5_000);
  [...root.querySelectorAll("button")].find((button) => button.textContent === "Try again")?.click();
  expect(reload).toHaveBeenCalledOnce();
});

it("lets people book without what is added to it", async () => {
  const root = open('mentor="m1" variant="enhanced"');
  await vi.waitFor(() => expect(textOf(root)).toContain(SENTENCE));
  await vi.waitFor(() => expect(textOf(root)).toContain("Grace Hopper"));
});

it("speaks of the connection where there is none", () => {
  vi.spyOn(navigator, "onLine", "get").mockReturnValueOnce(false);
  expect(ApiError.ofPart().code).toBe("network");
  expect(ApiError.ofPart().code).toBe("part");
});
