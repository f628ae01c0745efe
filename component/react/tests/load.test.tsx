import { StrictMode } from "react";
import { afterEach, expect, it, vi } from "vitest";
import { UnifiedSessionBooking } from "@tutelage/react";
import { mount } from "./setup.js";

// The scripts of the page, without running them.
vi.spyOn(document.head, "append").mockImplementation((script) => void added.push(script as HTMLScriptElement));
const added: HTMLScriptElement[] = [];
afterEach(() => void added.splice(0));

it("loads the element once for all components of an API", () => {
  mount(
    <StrictMode>
      <UnifiedSessionBooking api="https://booking.example.org/" mentor="m1" />
      <UnifiedSessionBooking api="https://booking.example.org" mentor="m2" />
    </StrictMode>,
  );
  expect(added.map((script) => [script.type, script.src, script.crossOrigin])).toEqual([
    ["module", "https://booking.example.org/component/session-booking.js", "anonymous"],
  ]);
});

it("loads nothing where the page has the script tag", () => {
  mount(<UnifiedSessionBooking mentor="m1" />);
  expect(added).toEqual([]);
});

it("tells that the element could not be loaded, and tries again", async () => {
  const onLoadError = vi.fn();
  const page = <UnifiedSessionBooking api="https://down.example.org" mentor="m1" onLoadError={onLoadError} />;
  mount(page);
  added[0]?.onerror?.(new Event("error"));
  await vi.waitFor(() => expect(onLoadError).toHaveBeenCalledOnce());
  expect(String(onLoadError.mock.calls[0]?.[0])).toContain("https://down.example.org/component/session-booking.js");
  mount(page);
  expect(added).toHaveLength(2);
});

it("tells where the page's policy takes no addresses of scripts", async () => {
  const refused = vi.spyOn(HTMLScriptElement.prototype, "src", "set").mockImplementation(() => {
    throw new TypeError("This document requires 'TrustedScriptURL' assignment.");
  });
  const onLoadError = vi.fn();
  mount(<UnifiedSessionBooking api="https://strict.example.org" mentor="m1" onLoadError={onLoadError} />);
  await vi.waitFor(() => expect(onLoadError).toHaveBeenCalledOnce());
  expect(String(onLoadError.mock.calls[0]?.[0])).toContain("TrustedScriptURL");
  refused.mockRestore();
});

it("keeps properties for an element that is defined later", () => {
  const onSuccess = (): void => undefined;
  const { element } = mount(<UnifiedSessionBooking mentor="m1" token="t" onSuccess={onSuccess} />);
  expect(customElements.get("session-booking")).toBeUndefined();
  // Own properties are what Lit takes over when the browser upgrades the element.
  expect({ ...element }).toMatchObject({ token: "t", onSuccess, sessionActions: null });
  expect(element.getAttribute("mentor")).toBe("m1");
});
