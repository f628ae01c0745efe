import { StrictMode, act, createRef, version } from "react";
import { hydrateRoot } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { expect, inject, it, vi } from "vitest";
import {
  EnhancedSessionBooking,
  RealtimeSessionBooking,
  SessionBookingForm,
  UnifiedSessionBooking,
  type SessionActions,
  type SessionBookingElement,
} from "@tutelage/react";
import "../../src/session-booking.js";
import { dispatch, mount } from "./setup.js";

it("runs with the React that the project names", () => {
  expect(version.split(".")[0]).toBe(inject("reactVersion"));
});

it("gives texts, flags, objects and functions to the element", () => {
  const sessionActions: SessionActions = { onStart: () => undefined };
  const onSuccess = (): void => undefined;
  const { element } = mount(
    <UnifiedSessionBooking
      variant="enhanced"
      existingSessionId="s1"
      sessionStatus="scheduled"
      showSessionActions={true}
      showAvailabilityStatus={false}
      tokenUrl="/token"
      sessionActions={sessionActions}
      onSuccess={onSuccess}
      words={{ tryAgain: "Encore" }}
    />,
  );
  expect(element).toMatchObject({
    ...{ variant: "enhanced", existingSessionId: "s1", sessionStatus: "scheduled", tokenUrl: "/token" },
    ...{ showSessionActions: true, showAvailabilityStatus: false, sessionActions, onSuccess },
    words: { tryAgain: "Encore" },
  });
  expect(element.showConnectionStatus).toBeUndefined();
});

it("takes back what a later render leaves out", () => {
  const { element, render } = mount(
    <UnifiedSessionBooking variant="realtime" mentor="m1" tokenUrl="/token" token="t" showConnectionStatus={false} />,
  );
  render(<UnifiedSessionBooking course="c1" />);
  expect(element).toMatchObject({ variant: "basic", mentor: null, course: "c1", tokenUrl: null, token: null });
  expect(element.showConnectionStatus).toBeUndefined();
});

it.each([
  [SessionBookingForm, "basic"],
  [EnhancedSessionBooking, "enhanced"],
  [RealtimeSessionBooking, "realtime"],
] as const)("has the components that pages already use", (Booking, variant) => {
  expect(mount(<Booking mentor="m1" />).element).toMatchObject({ variant, mentor: "m1" });
});

it("calls the handler of the latest render, once in strict mode", () => {
  const [first, second] = [vi.fn(), vi.fn()];
  const page = (onBooked: () => void) => (
    <StrictMode>
      <UnifiedSessionBooking mentor="m1" onBooked={onBooked} />
    </StrictMode>
  );
  const { element, render, unmount } = mount(page(first));
  render(page(second));
  dispatch(element, "booked", { session: { id: "s1" } });
  expect(first).not.toHaveBeenCalled();
  expect(second).toHaveBeenCalledOnce();
  expect(second.mock.calls[0]?.[0]).toMatchObject({ type: "booked", detail: { session: { id: "s1" } } });
  unmount();
  dispatch(element, "booked", {});
  expect(second).toHaveBeenCalledOnce();
});

it.each([
  ["onRequested", "requested"],
  ["onStarted", "started"],
  ["onCompleted", "completed"],
  ["onCancelled", "cancelled"],
  ["onFailed", "failed"],
  ["onSignIn", "signin"],
])("has %s for the event %s", (prop, event) => {
  const handler = vi.fn();
  dispatch(mount(<UnifiedSessionBooking mentor="m1" {...{ [prop]: handler }} />).element, event, {});
  expect(handler).toHaveBeenCalledOnce();
});

it("keeps one token function and calls the latest", async () => {
  const { element, render } = mount(<UnifiedSessionBooking mentor="m1" token={() => "first"} />);
  const given = element.token as () => string;
  render(<UnifiedSessionBooking mentor="m1" token={async () => "second"} />);
  expect(element.token).toBe(given);
  expect(await given()).toBe("second");
});

it("starts the element once in strict mode", () => {
  const given: unknown[] = [];
  const Element = customElements.get("session-booking") as CustomElementConstructor;
  const token = Object.getOwnPropertyDescriptor(Element.prototype, "token") as PropertyDescriptor;
  Object.defineProperty(Element.prototype, "token", { ...token, set(value) { given.push(value); token.set?.call(this, value); } });
  mount(
    <StrictMode>
      <UnifiedSessionBooking mentor="m1" token={() => "t"} />
    </StrictMode>,
  );
  Object.defineProperty(Element.prototype, "token", token);
  expect(given.length).toBeGreaterThan(0);
  expect(new Set(given).size).toBe(1);
});

it("takes what every element takes", () => {
  const onClick = vi.fn();
  const { element } = mount(<UnifiedSessionBooking mentor="m1" title="Book" tabIndex={0} onClick={onClick} />);
  act(() => element.click());
  expect([element.title, element.tabIndex, onClick.mock.calls.length]).toEqual(["Book", 0, 1]);
});

it("keeps words that are the same, since others restart the element", () => {
  const french = () => ({ tryAgain: "Encore", retryIn: (seconds: string) => `Encore dans ${seconds}.` });
  const { element, render } = mount(<UnifiedSessionBooking mentor="m1" words={french()} />);
  const given = element.words;
  render(<UnifiedSessionBooking mentor="m1" words={french()} />);
  expect(element.words).toBe(given);
  render(<UnifiedSessionBooking mentor="m1" words={{ tryAgain: "Encore une fois" }} />);
  expect(element.words).toEqual({ tryAgain: "Encore une fois" });
});

it("sets properties before the element reads them", async () => {
  const token = vi.fn(() => new Promise<string>(() => undefined));
  mount(<UnifiedSessionBooking mentor="m1" token={token} />);
  await vi.waitFor(() => expect(token).toHaveBeenCalled());
});

it("passes what every element has, and gives the element to a ref", () => {
  const ref = createRef<SessionBookingElement>();
  const { element, render } = mount(
    <UnifiedSessionBooking ref={ref} className="wide" style={{ maxWidth: 400 }} lang="de" dir="rtl" hidden data-page="1" />,
  );
  expect(ref.current).toBe(element);
  expect(element.outerHTML).toContain('class="wide"');
  expect([element.style.maxWidth, element.lang, element.dir, element.hidden]).toEqual(["400px", "de", "rtl", true]);
  expect(element.dataset["page"]).toBe("1");
  render(<UnifiedSessionBooking ref={ref} />);
  expect(element.hidden).toBe(false);
});

it("continues what the server rendered, without a difference", () => {
  const page = (
    <StrictMode>
      <UnifiedSessionBooking variant="enhanced" mentor="m1" showAvailabilityStatus={false} className="wide" hidden={false}>
        <p>Loading …</p>
      </UnifiedSessionBooking>
    </StrictMode>
  );
  const container = document.body.appendChild(document.createElement("div"));
  const complaints = vi.spyOn(console, "error").mockImplementation(() => undefined);
  container.innerHTML = renderToString(page);
  // React 18 takes this page for a browser's, and complains of effects that a server would not have.
  complaints.mockClear();
  const [rendered] = container.children;
  act(() => void hydrateRoot(container, page, { onRecoverableError: complaints }));
  expect(container.firstElementChild).toBe(rendered);
  expect(rendered).toMatchObject({ variant: "enhanced", mentor: "m1", showAvailabilityStatus: false });
  expect(complaints).not.toHaveBeenCalled();
});
