import { act } from "react";
import { expect, it, vi } from "vitest";
import type { Session } from "@tutelage/react";
import "../../src/session-booking.js";
import { BookingPage, SessionPage } from "../../examples/booking.js";
import { dispatch, mount } from "./setup.js";

it("renders the page to copy, and links to the session that was booked", () => {
  const { container, element } = mount(<BookingPage mentor="m1" />);
  expect(element).toMatchObject({
    ...{ variant: "realtime", mentor: "m1", tokenUrl: "/booking-token", api: "https://booking.example.org" },
    ...{ showAvailabilityStatus: true, showConnectionStatus: true, enableOptimisticUpdates: true },
  });
  act(() => element.onSuccess?.({ id: "s1", mentor: { name: "Ada" } } as Session));
  expect(container.querySelector("a")?.getAttribute("href")).toBe("/sessions/s1");
  expect(container.querySelector("a")?.textContent).toBe("Open your session with Ada");
});

it("renders the page of a session, with the page's own actions", () => {
  const sessionActions = { onStart: vi.fn() };
  const { element } = mount(<SessionPage sessionId="s1" sessionActions={sessionActions} />);
  expect(element).toMatchObject({ existingSessionId: "s1", showSessionActions: true, sessionActions });
  const assign = vi.spyOn(location, "assign").mockImplementation(() => undefined);
  dispatch(element, "completed", { session: { id: "s1" } });
  expect(assign).toHaveBeenCalledWith("/sessions");
});
