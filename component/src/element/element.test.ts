import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SessionBooking } from "../session-booking.js";
import { linkTo } from "../ui/view.js";
import { de as sessionDe } from "../i18n/enhanced/de.js";
import { extrasEn } from "../i18n/enhanced/extras-en.js";
import "../parts/following/following.js";
import { booking as bookingOf, quote, session } from "../../tests/session-fixtures.js";
import { type Answer, type FakeApi, LISTING, MENTOR, NOW, SESSION, booking, offeringApi, refusal, slot } from "../../tests/fake-api.js";

const root = (element: SessionBooking): ShadowRoot => element.shadowRoot as ShadowRoot;

/** The thing that is there in the end; the clock goes on from look to look. */
async function found<T>(look: () => T | null | undefined): Promise<T> {
  for (let looks = 0; looks < 400; looks++) {
    const there = look();
    if (there) return there;
    await vi.advanceTimersByTimeAsync(50);
    await vi.dynamicImportSettled();
  }
  throw new Error("It does not come.");
}

const one = (element: SessionBooking, selector: string): Promise<HTMLElement> =>
  found(() => root(element).querySelector<HTMLElement>(selector));

/** An element of the mentor, in the page. */
function shown(changes: Partial<SessionBooking> = {}): SessionBooking {
  const element = Object.assign(new SessionBooking(), { api: "http://api.test", mentor: "m1", token: "t", ...changes });
  document.body.append(element);
  return element;
}

/** The form, for the first free time. */
async function filledIn(element: SessionBooking, title: string): Promise<HTMLInputElement> {
  (await one(element, "button.slot")).click();
  const input = (await one(element, "#title")) as HTMLInputElement;
  input.value = title;
  input.dispatchEvent(new Event("input"));
  return input;
}

beforeEach(() => {
  vi.useFakeTimers({ now: NOW });
  sessionStorage.clear();
});
afterEach(async () => {
  document.body.replaceChildren();
  // At its end, an element asks the API of its test, too.
  await vi.advanceTimersByTimeAsync(0);
  await vi.dynamicImportSettled();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it("loads again when the connection is back", async () => {
  const api = offeringApi().on("GET /mentors/m1", refusal(503, "unavailable"));
  const element = shown();
  await one(element, ".message.danger");
  offeringApi();
  expect(api.called("GET /mentors/m1").length).toBeGreaterThan(0);
  dispatchEvent(new Event("online"));
  await one(element, "button.slot");
});

it("shows the free times of a mentor whose zone the browser does not know", async () => {
  offeringApi().on("GET /mentors/m1", { status: 200, body: { ...MENTOR, timeZone: "Mars/Phobos" } });
  const element = shown();
  await one(element, "button.slot");
  expect(root(element).querySelector(".zone [value='Mars/Phobos']")).toBeNull();
});

it("leaves the keys of the browser to it", async () => {
  offeringApi();
  const element = shown();
  await one(element, "button.slot");
  const day = await one(element, ".day[tabindex='0']");
  const press = (modifiers: KeyboardEventInit): boolean =>
    day.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true, cancelable: true, ...modifiers }));
  expect([{ altKey: true }, { ctrlKey: true }, { metaKey: true }].map(press)).toEqual([true, true, true]);
  expect(press({})).toBe(false);
});

it("leads the tab key to the day of the month that has the focus, and back to the chosen one", async () => {
  offeringApi();
  const element = shown();
  await one(element, "button.slot");
  const stops = (): (string | undefined)[] =>
    [...root(element).querySelectorAll<HTMLElement>(".day[tabindex='0']")].map((day) => day.dataset["day"]);
  const chosen = await one(element, "[aria-selected='true'] .day");
  chosen.focus();
  chosen.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown", bubbles: true }));
  await found(() => root(element).activeElement !== chosen);
  await element.updateComplete;
  expect(stops()).toEqual([(root(element).activeElement as HTMLElement).dataset["day"]]);
  root(element).querySelector<HTMLElement>("button.slot")?.focus();
  await element.updateComplete;
  expect(stops()).toEqual([chosen.dataset["day"]]);
});

it("keeps the focus at a button that leads no further", async () => {
  offeringApi();
  const element = shown();
  await one(element, "button.slot");
  const [previous, next] = root(element).querySelectorAll<HTMLElement>(".pager button");
  next?.click();
  await element.updateComplete;
  previous?.focus();
  previous?.click();
  await element.updateComplete;
  expect(previous?.getAttribute("aria-disabled")).toBe("true");
  expect(previous?.hasAttribute("disabled")).toBe(false);
  const title = root(element).querySelector(".pager h3")?.textContent;
  previous?.click();
  await element.updateComplete;
  expect(root(element).querySelector(".pager h3")?.textContent).toBe(title);
});

it("leaves the focus at its time where others before it go and come", async () => {
  const all = ["08:00", "09:00", "10:00"].map((time) => slot(`2030-05-04T${time}:00Z`));
  let items = all;
  offeringApi().on("GET /mentors/m1/slots", () => ({ status: 200, body: { durationMinutes: 60, items } }));
  const element = shown();
  const { flow } = await found(() => (element as unknown as { run: { flow: { reloadSlots(): Promise<void> } } | null }).run);
  const focused = (): string | undefined => (root(element).activeElement as HTMLElement | null)?.dataset["start"];
  (await one(element, `[data-start="${all[1]?.startTime}"]`)).focus();
  for (items of [all.slice(1), all]) {
    await flow.reloadSlots();
    await element.updateComplete;
    expect(focused()).toBe(all[1]?.startTime);
  }
});

it("leaves the focus in its view where the button that had it is gone", async () => {
  const api = offeringApi();
  const element = shown();
  await one(element, "button.slot");
  const next = [...root(element).querySelectorAll<HTMLElement>(".pager button")].at(-1);
  api.on("GET /mentors/m1/slots", refusal(400, "invalid_request"));
  for (let months = 0; months < 3; months++) next?.click();
  const again = await one(element, ".message button");
  offeringApi();
  again.focus();
  again.click();
  await found(() => !again.isConnected);
  expect(root(element).activeElement?.id).toBe("choose");
});

it("writes the times of a session in the language of the page's own words", async () => {
  offeringApi()
    .on("GET /sessions/session-1", { status: 200, body: session() })
    .on("GET /bookings/booking-1", { status: 200, body: bookingOf() })
    .on("GET /sessions/session-1/cancellation-quote", { status: 200, body: quote() });
  document.body.lang = "fr";
  const element = shown({ mentor: null, session: "session-1", words: { code: "fr" } });
  expect((await one(element, ".summary")).textContent).toContain("samedi 4 mai 2030");
  document.body.removeAttribute("lang");
});

it("counts down to the next attempt of a session's step, too", async () => {
  offeringApi()
    .on("GET /sessions/session-1", { status: 200, body: session({ earlyStartMinutes: null }) })
    .on("GET /bookings/booking-1", { status: 200, body: bookingOf() })
    .on("GET /sessions/session-1/cancellation-quote", { status: 200, body: quote() })
    .on("POST /sessions/session-1/start", refusal(503, "unavailable", {}, { "Retry-After": "30" }));
  const element = shown({ mentor: null, session: "session-1" });
  (await one(element, "[data-action='start']")).click();
  const first = (await one(element, "[aria-live='off']")).textContent;
  await vi.advanceTimersByTimeAsync(3_000);
  expect((await one(element, "[aria-live='off']")).textContent).not.toBe(first);
});

it("shows the free times that it has beside a failure to read others", async () => {
  vi.setSystemTime("2030-01-05T08:00:00Z");
  // The search for the first one ends on the 4th of May, and the rest of the month is read then.
  offeringApi().on("GET /mentors/m1/slots", ({ query }) => {
    const [from, to] = ["from", "to"].map((name) => query.get(name) ?? "");
    if (from?.startsWith("2030-05")) return refusal(409, "no_listing");
    return { status: 200, body: { durationMinutes: 60, items: to?.startsWith("2030-05") ? [slot("2030-05-03T09:00:00Z")] : [] } };
  });
  const element = shown();
  await one(element, ".times .message.danger");
  expect(root(element).querySelector("button.slot")).not.toBeNull();
});

it("says the same sentence again", async () => {
  offeringApi();
  const element = shown();
  await one(element, "button.slot");
  const region = await one(element, "[aria-live='polite'].visually-hidden");
  const run = (element as unknown as { run: { announce(sentence: string): void } }).run;
  const said: (string | null)[] = [];
  for (const _ of [1, 2, 3]) {
    run.announce("Done.");
    await element.updateComplete;
    said.push(region.textContent);
  }
  expect(said.map((each) => each?.trim())).toEqual(["Done.", "Done.", "Done."]);
  expect(said[1]).not.toBe(said[0]);
  expect(said[2]).not.toBe(said[1]);
});

it("is in English where the browser's language is none that Intl knows", async () => {
  vi.spyOn(navigator, "language", "get").mockReturnValue("en-US@posix");
  offeringApi();
  await one(shown(), "button.slot");
});

it.each(["click", "pointerup", "pointercancel"])("shows nothing else between the press of a button and its %s", async (end) => {
  offeringApi();
  const element = shown();
  const button = await one(element, "button.slot");
  const point = (name: string): boolean => button.dispatchEvent(new Event(name, { bubbles: true, composed: true }));
  point("pointerdown");
  element.theme = "dark";
  await vi.advanceTimersByTimeAsync(1_000);
  expect(element.getAttribute("theme")).toBeNull();
  point(end);
  await vi.advanceTimersByTimeAsync(50);
  expect(element.getAttribute("theme")).toBe("dark");
});

it("leaves a booking what it is where the page's onSuccess throws, and reports that", async () => {
  const api = offeringApi().on("POST /sessions/book", { status: 201, body: { booking: booking(), session: SESSION } });
  const reported = vi.fn();
  vi.stubGlobal("reportError", reported);
  const thrown = new Error("The page's own.");
  const failed = vi.fn();
  const element = shown({
    onSuccess: () => {
      throw thrown;
    },
  });
  element.addEventListener("failed", failed);
  await filledIn(element, "Mine");
  root(element).querySelector("form")?.dispatchEvent(new Event("submit"));
  const result = await one(element, "[part~=result]");
  expect(result.querySelector(".message.danger")).toBeNull();
  expect(reported.mock.calls).toEqual([[thrown]]);
  expect(failed).not.toHaveBeenCalled();
  expect(api.called("POST /sessions/book")).toHaveLength(1);
});

describe("another token", () => {
  const tokenOf = (sub: string, number = 1): string => `x.${btoa(JSON.stringify({ sub, number }))}.y`;
  const readings = (api: FakeApi): number => api.calls.filter(({ path }) => path.startsWith("/mentors/m1") && !path.endsWith("/holds")).length;

  it.each([
    ["a text", (number: number) => tokenOf("u9", number)],
    ["a function", (number: number) => () => tokenOf("u9", number)],
  ])("of the same person changes nothing but what is sent: %s", async (_, give) => {
    const api = offeringApi().on("POST /sessions/book", refusal(400, "invalid_request"));
    const element = shown({ token: give(1) });
    const title = await filledIn(element, "Mine");
    await found(() => api.called("POST /mentors/m1/holds").length || null);
    const before = readings(api);
    for (const number of [2, 3, 4]) {
      element.token = give(number);
      await vi.advanceTimersByTimeAsync(500);
    }
    expect(readings(api)).toBe(before);
    expect(root(element).querySelector("#title")).toBe(title);
    root(element).querySelector("form")?.dispatchEvent(new Event("submit"));
    const [sent] = await found(() => (api.called("POST /sessions/book").length ? api.called("POST /sessions/book") : null));
    expect(sent?.headers.get("Authorization")).toBe(`Bearer ${tokenOf("u9", 4)}`);
  });

  it.each([
    ["of another person", tokenOf("u10")],
    ["that does not say whose it is", "opaque"],
    ["instead of no one", null],
  ])("%s restarts it, without the words of the one before", async (_, token) => {
    const api = offeringApi();
    const element = shown({ token: tokenOf("u9"), publishableKey: "tpk_1" });
    const title = await filledIn(element, "Mine");
    await found(() => api.called("POST /mentors/m1/holds").length || null);
    title.dispatchEvent(new Event("input"));
    const before = readings(api);
    element.token = token;
    await one(element, "button.slot");
    await vi.advanceTimersByTimeAsync(500);
    expect(readings(api)).toBeGreaterThan(before);
    expect(root(element).querySelector("#title")).toBeNull();
  });

  it.each([
    ["a text", (number: number) => tokenOf("u9", number)],
    ["a function", (number: number) => () => tokenOf("u9", number)],
  ])("leaves a mentor's notes in an open dialog, and is the one that sends them: %s", async (_, give) => {
    const held = session({ id: "s1", bookingId: "b1", status: "in_progress" });
    const api = offeringApi()
      .on("GET /sessions/s1", { status: 200, body: held })
      .on("GET /bookings/b1", { status: 200, body: bookingOf({ id: "b1" }) })
      .on("GET /sessions/s1/cancellation-quote", { status: 200, body: quote({ allowed: false, cancelledBy: "mentor" }) })
      .on("POST /sessions/s1/complete", { status: 200, body: { ...held, status: "completed" } });
    const element = shown({ mentor: null, session: "s1", token: give(1) });
    (await one(element, "[data-action=complete]")).click();
    const notes = (await one(element, "dialog [name=notes]")) as HTMLTextAreaElement;
    notes.value = "Read chapter three.";
    for (const number of [2, 3]) {
      element.token = give(number);
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(root(element).querySelector("dialog[open] [name=notes]")).toBe(notes);
    expect(notes.value).toBe("Read chapter three.");
    root(element).querySelector("dialog form")?.dispatchEvent(new Event("submit"));
    const [sent] = await found(() => (api.called("POST /sessions/s1/complete").length ? api.called("POST /sessions/s1/complete") : null));
    expect(JSON.parse(sent?.body ?? "")).toEqual({ notes: "Read chapter three." });
    expect(sent?.headers.get("Authorization")).toBe(`Bearer ${tokenOf("u9", 3)}`);
  });

  it("helps on who could not be served with the one before", async () => {
    offeringApi().on("GET /mentors/m1", refusal(401, "unauthenticated"));
    const element = shown({ token: tokenOf("u9", 1) });
    await one(element, ".message");
    offeringApi();
    element.token = tokenOf("u9", 2);
    await one(element, "button.slot");
  });
});

describe("another language of the page", () => {
  afterEach(() => void document.documentElement.removeAttribute("lang"));

  it.each([
    ["the page", () => document.documentElement],
    ["what is around the host of its shadow root", () => document.body.firstElementChild as Element],
  ])("belongs to all that is shown, and the form stays filled in: %s", async (_, of) => {
    offeringApi();
    const host = document.body.appendChild(document.createElement("section")).appendChild(document.createElement("div"));
    const element = Object.assign(new SessionBooking(), { api: "http://api.test", mentor: "m1", token: "t" });
    of().setAttribute("lang", "en");
    host.attachShadow({ mode: "open" }).append(element);
    await filledIn(element, "Mine");
    of().setAttribute("lang", "de");
    await found(() => root(element).textContent?.includes("Jetzt buchen") || root(element).textContent?.includes("Für") || null);
    expect(((await one(element, "#title")) as HTMLInputElement).value).toBe("Mine");
    expect(root(element).querySelector(".root")?.getAttribute("lang")).toBe("de");
    expect(root(element).querySelector("h3")?.textContent).toBe("Ihre Buchung");
    expect(root(element).querySelector("dd")?.textContent).toMatch(/Samstag/);
  });

  it("which is none for the element changes nothing", async () => {
    const api = offeringApi();
    const element = shown();
    element.lang = "en";
    await one(element, "button.slot");
    const before = api.calls.length;
    document.documentElement.lang = "de";
    await vi.advanceTimersByTimeAsync(500);
    expect(api.calls).toHaveLength(before);
  });
});

describe("when the mentor changes", () => {
  const other = { ...MENTOR, id: "m2", name: "Ada Lovelace" };
  const bothOffering = (): FakeApi =>
    offeringApi()
      .on("GET /mentors/m2", { status: 200, body: other })
      .on("GET /mentors/m2/slots", { status: 200, body: { durationMinutes: 60, items: [slot("2030-05-05T09:00:00Z", 60, ["m2"])] } })
      .on("GET /listings", ({ query }) => {
        const mentorProfileId = query.get("mentorProfileId") ?? "";
        return { status: 200, body: { items: [{ ...LISTING, id: `of-${mentorProfileId}`, mentorProfileId }], nextCursor: null } };
      });

  it("reads no times for the one before, and shows none of them", async () => {
    let answer: (answer: Answer) => void = () => undefined;
    const api = bothOffering().on("GET /mentors/m1/slots", () => new Promise<Answer>((resolve) => (answer = resolve)));
    const element = shown();
    await found(() => api.called("GET /mentors/m1/slots").length > 0 || null);
    await vi.advanceTimersByTimeAsync(100);
    element.mentor = "m2";
    await element.updateComplete;
    answer({ status: 200, body: { durationMinutes: 60, items: [] } });
    await one(element, "button.slot");
    await vi.advanceTimersByTimeAsync(1_000);
    const asked = api.calls.filter(({ path }) => path.endsWith("/slots"));
    expect(new Set(asked.map(({ path }) => path))).toEqual(new Set(["/mentors/m1/slots", "/mentors/m2/slots"]));
    expect(asked.filter(({ query }) => query.get("from")?.startsWith("1970"))).toEqual([]);
    expect(root(element).querySelector(".message")).toBeNull();
    expect(root(element).querySelectorAll("button.slot")).toHaveLength(1);
  });

  it("brings nothing of the form for the one before, however late the token comes", async () => {
    const jwt = `x.${btoa(JSON.stringify({ sub: "u9" }))}.y`;
    const api = bothOffering();
    const before = shown({ token: jwt });
    const title = await filledIn(before, "Not for Ada");
    await found(() => api.called("POST /mentors/m1/holds").length || null);
    // Now the token's subject is known, and kept with the form.
    title.dispatchEvent(new Event("input"));
    document.body.replaceChildren();
    let give: (token: string) => void = () => undefined;
    const element = shown({ publishableKey: "tpk_1", token: () => new Promise<string>((resolve) => (give = resolve)) });
    await one(element, "button.slot");
    const asked = api.called("POST /mentors/m1/holds").length;
    element.mentor = "m2";
    await found(() => root(element).querySelector("h2")?.textContent?.includes("Ada") || null);
    await one(element, "button.slot");
    give(jwt);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(root(element).querySelector("#title")).toBeNull();
    expect(api.called("POST /mentors/m1/holds")).toHaveLength(asked);
    element.token = jwt;
    element.mentor = "m1";
    expect(((await one(element, "#title")) as HTMLInputElement).value).toBe("Not for Ada");
  });
});

describe("an address of the page or the API", () => {
  it.each(["javascript:alert(1)", "JAVASCRIPT:alert(1)", " java\nscript:alert(1)", "data:text/html,x", "vbscript:x", ""])(
    "is no link where it is none of the web: %j",
    (address) => expect(linkTo(address)).toBeNull(),
  );

  it.each(["https://example.org/in", "http://example.org", "/sign-in?next=%2F", "sign-in", "//example.org/in"])(
    "is a link where it is: %j",
    (address) => expect(linkTo(address)).toBe(address),
  );

  it("to sign in leads to no script", async () => {
    offeringApi().on("GET /mentors/m1", refusal(401, "unauthenticated"));
    const element = shown({ signInUrl: "javascript:alert(1)" });
    await one(element, ".message");
    expect(root(element).querySelector("a")).toBeNull();
    element.signInUrl = "/sign-in";
    element.reload();
    expect((await one(element, "a")).getAttribute("href")).toBe("/sign-in");
  });
});

it("keeps the other words of a group of which a page gives some", async () => {
  offeringApi();
  const element = shown({ words: { form: { title: "Ma réservation" } } });
  await filledIn(element, "Mine");
  expect(root(element).querySelector("h3")?.textContent).toBe("Ma réservation");
  expect(root(element).querySelector("label[for=title]")?.textContent).toBe("Subject");
});

it.each(["en", "de"])("has words of the page in lazy parts, too, beside %s", async (lang) => {
  offeringApi();
  const session = { repeat: { title: "Répéter" } } as const;
  const words = { parts: { session, live: { notLive: "Pas en direct" } } };
  const element = Object.assign(shown({ variant: "realtime", words }), { lang });
  await found(() => root(element).querySelector("[part~=connection]")?.textContent?.includes("Pas en direct"));
  await filledIn(element, "Mine");
  await found(() => root(element).querySelector("[part~=series]")?.textContent?.includes("Répéter"));
  // The other words of the group.
  const option = root(element).querySelector("#series-every option")?.textContent?.trim();
  expect(option).toBe(lang === "de" ? sessionDe.repeat.none : extrasEn.repeat.none);
});

it("of two for one mentor, each keeps its own booking over a reload", async () => {
  offeringApi();
  const before = [shown(), shown()];
  await filledIn(before[0] as SessionBooking, "First");
  await filledIn(before[1] as SessionBooking, "Second");
  document.body.replaceChildren();
  const after = [shown(), shown()];
  const titles = after.map(async (each) => ((await one(each, "#title")) as HTMLInputElement).value);
  expect(await Promise.all(titles)).toEqual(["First", "Second"]);
});

it("shows the API's reasons in German where the page is in German", async () => {
  const details = { title: ["Longer than maximum length 200."], description: ["No such reason is known."] };
  offeringApi().on("POST /sessions/book", refusal(400, "invalid_request", { details }));
  const element = shown();
  element.lang = "de";
  element.reload();
  await filledIn(element, "Mine");
  root(element).querySelector("form")?.dispatchEvent(new Event("submit"));
  await found(() => root(element).querySelector("#title-error")?.textContent?.includes("Höchstens 200 Zeichen.") || null);
  expect(root(element).querySelector("#notes-error")?.textContent).toBe("Das wird so nicht angenommen.");
});

describe("a feature that is named", () => {
  const features = { showAvailabilityStatus: true, showConnectionStatus: true, enableOptimisticUpdates: true };
  const part = (element: SessionBooking, name: string): Element | null => root(element).querySelector(`[part~=${name}]`);

  it("is added to the basic variant, without the rest of the others", async () => {
    const api = offeringApi().on("POST /sessions/book", () => new Promise<never>(() => undefined));
    const element = shown({ variant: "basic", ...features });
    await one(element, "[part~=availability]");
    await one(element, "[part~=connection]");
    expect([part(element, "refused"), part(element, "groups"), api.called("GET /group-sessions")]).toEqual([null, null, []]);
    await filledIn(element, "Mine");
    expect(part(element, "series")).toBeNull();
    root(element).querySelector("form")?.dispatchEvent(new Event("submit"));
    expect((await one(element, "[part~=result]")).textContent).toContain("Confirming your booking");
  });

  it("is added when it is turned on later, and taken away when it is turned off", async () => {
    offeringApi();
    const element = shown({ variant: "basic" });
    await one(element, "button.slot");
    await vi.advanceTimersByTimeAsync(1_000);
    expect([part(element, "availability"), part(element, "connection")]).toEqual([null, null]);
    Object.assign(element, features);
    await one(element, "[part~=availability]");
    await one(element, "[part~=connection]");
    Object.assign(element, { showAvailabilityStatus: false, showConnectionStatus: false });
    await element.updateComplete;
    expect([part(element, "availability"), part(element, "connection")]).toEqual([null, null]);
  });
});

describe("the name of a variant", () => {
  it.each(["Enhanced", "ENHANCED"])("is taken in any case: %s", async (variant) => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    offeringApi();
    await one(shown({ variant: variant as "enhanced" }), "[part~=availability]");
    expect(warn).not.toHaveBeenCalled();
  });

  it("that is none is basic, with a warning", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    offeringApi();
    const element = shown({ variant: "premium" as "basic" });
    await one(element, "button.slot");
    await vi.advanceTimersByTimeAsync(1_000);
    await vi.dynamicImportSettled();
    expect(root(element).querySelector("[part~=availability]")).toBeNull();
    expect(warn.mock.calls.map(([said]) => String(said))).toEqual([expect.stringContaining('"premium"')]);
  });
});

describe("someone who is not signed in", () => {
  it.each([
    ["en", "Sign in to book"],
    ["de", "Zum Buchen anmelden"],
  ])("is asked to before there is a form, each time: %s", async (lang, label) => {
    offeringApi();
    const element = Object.assign(shown({ token: null, publishableKey: "tpk_1" }), { lang });
    element.reload();
    const signin = vi.fn();
    element.addEventListener("signin", signin);
    (await one(element, "button.slot")).click();
    const button = await found(() => root(element).querySelector<HTMLButtonElement>("button.primary"));
    expect([button.textContent, button.disabled, button.type]).toEqual([label, false, "button"]);
    expect(root(element).querySelector("#title, [type=submit]")).toBeNull();
    expect(signin).toHaveBeenCalledTimes(1);
    button.click();
    button.click();
    expect(signin).toHaveBeenCalledTimes(3);
  });

  it("is led to the page's own address in the same place", async () => {
    offeringApi();
    const element = shown({ token: null, publishableKey: "tpk_1", signInUrl: "/sign-in" });
    (await one(element, "button.slot")).click();
    const link = await one(element, ".message a.primary");
    expect([link.textContent, link.getAttribute("href")]).toEqual(["Sign in to book", "/sign-in"]);
  });

  it("goes on to the form, with the chosen time, once signed in", async () => {
    offeringApi();
    const element = shown({ token: null, publishableKey: "tpk_1" });
    (await one(element, "button.slot")).click();
    await one(element, "button.primary");
    element.token = "t";
    expect(((await one(element, "#title")) as HTMLInputElement).value).toBe(LISTING.title);
  });
});

describe("a request that the mentor decides", () => {
  const draft = booking({ status: "draft", sessionId: null, listingId: LISTING.id, price: LISTING.price });

  async function requested(): Promise<{ api: FakeApi; element: SessionBooking; withdraw: HTMLElement }> {
    const api = offeringApi().on("POST /sessions/book", { status: 201, body: { booking: draft, session: null } });
    const element = shown();
    await filledIn(element, "Mine");
    root(element).querySelector("form")?.dispatchEvent(new Event("submit"));
    const withdraw = await found(() =>
      [...root(element).querySelectorAll("button")].find((each) => each.textContent?.includes("Withdraw")),
    );
    return { api, element, withdraw };
  }

  it("is withdrawn once, and shows why it could not be", async () => {
    const { api, element, withdraw } = await requested();
    let answer: (answer: Answer) => void = () => undefined;
    api.on("POST /bookings/b1/cancel", () => new Promise<Answer>((resolve) => (answer = resolve)));
    withdraw.click();
    withdraw.click();
    await one(element, ".actions .spinner");
    answer(refusal(403, "forbidden", { message: "You may not." }));
    const failed = await one(element, ".message.danger");
    expect(failed.textContent).toContain("You may not.");
    expect(api.called("POST /bookings/b1/cancel")).toHaveLength(1);
    api.on("POST /bookings/b1/cancel", { status: 200, body: { ...draft, status: "cancelled" } });
    withdraw.click();
    await found(() => root(element).querySelector("h2")?.textContent?.includes("has been withdrawn") || null);
    expect(root(element).querySelector(".message.danger")).toBeNull();
    const keys = api.called("POST /bookings/b1/cancel").map((call) => call.headers.get("Idempotency-Key"));
    expect(new Set(keys).size).toBe(1);
  });
});

it("says that a failed booking may have been made", async () => {
  offeringApi().on("POST /sessions/book", refusal(500, "internal_error"));
  const element = shown();
  await filledIn(element, "Mine");
  root(element).querySelector("form")?.dispatchEvent(new Event("submit"));
  const failed = await found(() => root(element).querySelector(".message.danger"));
  expect(failed.textContent).toContain("It may have been booked all the same.");
});

it("shows the present price, and books for it with the next click", async () => {
  const price = { amount: 18500, currency: "USD" };
  const answers: Answer[] = [refusal(409, "price_changed", { details: { price } }), { status: 202, body: { booking: booking(), session: null } }];
  const api = offeringApi().on("POST /sessions/book", () => answers.shift() ?? "lost");
  const element = shown();
  await filledIn(element, "Mine");
  const submit = await one(element, "button[type=submit]");
  expect(submit.textContent).toContain("Book for $40");
  submit.click();
  const warning = await one(element, "form .message.warning");
  expect([warning.getAttribute("role"), warning.querySelector("b")?.textContent]).toEqual(["alert", "$185"]);
  expect(submit.textContent).toContain("Book for $185");
  submit.click();
  await found(() => root(element).querySelector("h2")?.textContent?.includes("Your session is booked") || null);
  expect(api.called("POST /sessions/book")).toHaveLength(2);
});

it("names no share of a price of nothing", async () => {
  const free = { ...LISTING, price: { amount: 0, currency: "USD" } };
  offeringApi().on("GET /listings", { status: 200, body: { items: [free], nextCursor: null } });
  const element = shown();
  await filledIn(element, "Mine");
  const form = await one(element, "form");
  expect(form.textContent).toContain("Free of charge until the start.");
  expect(form.textContent).not.toContain("%");
});

it("says that for an hour after the confirmation a late cancellation costs nothing", async () => {
  const late = { ...LISTING, cancellation: { windowHours: 8784, lateFeePercent: 50 } };
  offeringApi().on("GET /listings", { status: 200, body: { items: [late], nextCursor: null } });
  const element = shown();
  await filledIn(element, "Mine");
  const form = await one(element, "form");
  expect(form.textContent).toContain("Free of charge for an hour after it is confirmed, at most until it starts. After that, 50% of");
});

it("says of a series of requests what it costs in all, and which button withdraws which", async () => {
  const draft = booking({ status: "draft", sessionId: null, price: LISTING.price, bundlePurchaseId: null });
  const made = [0, 1, 2].map((week) => ({
    startTime: new Date(Date.parse(draft.startTime) + week * 7 * 86_400_000).toISOString(),
    bookingId: `b${week + 1}`,
    sessionId: null,
  }));
  offeringApi().on("POST /sessions/book", { status: 201, body: { booking: draft, session: null, series: { id: "s", made, skipped: [] } } });
  const element = shown({ variant: "enhanced", timeZone: "UTC" });
  await filledIn(element, "Mine");
  const every = (await one(element, "#series-every")) as HTMLSelectElement;
  every.value = "1";
  every.dispatchEvent(new Event("change"));
  await found(() => root(element).querySelector("button[type=submit]")?.textContent?.includes("Book for $160") || null);
  (await one(element, "button[type=submit]")).click();
  const buttons = await found(() => {
    const labels = [...root(element).querySelectorAll(".result button")].map((each) => each.textContent?.trim() ?? "");
    return labels.filter((label) => label.startsWith("Withdraw")).length > 1 ? labels : null;
  });
  expect(buttons).toContain("Withdraw all 3 requests");
  expect(buttons.find((label) => /^Withdraw only the request for May 4, 2030, 9:00/.test(label))).toBeDefined();
  expect(root(element).querySelector(".result")?.textContent).toContain("$120 in all, $40 per session");
});
