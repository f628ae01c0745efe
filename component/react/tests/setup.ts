/** The setup of the tests of both Reacts: a page with the element, and an API that does not answer. */

import { act, type ReactElement } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, vi } from "vitest";
import type { SessionBookingElement } from "../src/index.js";

declare global {
  var IS_REACT_ACT_ENVIRONMENT: boolean;
}
globalThis.IS_REACT_ACT_ENVIRONMENT = true;
vi.stubGlobal("fetch", () => new Promise(() => undefined));

// A loaded machine takes its time: vitest itself gives up after a second.
const { waitFor } = vi;
vi.waitFor = (callback, options = 20_000) => waitFor(callback, options);

const roots: Root[] = [];

afterEach(() => {
  for (const root of roots.splice(0)) act(() => root.unmount());
  document.body.replaceChildren();
});

/** Renders into the page; `render` renders again, `element` is the booking element that is there. */
export function mount(page: ReactElement) {
  const container = document.body.appendChild(document.createElement("div"));
  const root = createRoot(container);
  roots.push(root);
  const render = (next: ReactElement): void => act(() => root.render(next));
  render(page);
  return {
    container,
    render,
    unmount: () => act(() => root.unmount()),
    get element() {
      return container.querySelector("session-booking") as SessionBookingElement;
    },
  };
}

/** Dispatches an event as the element does. */
export function dispatch(element: Element, name: string, detail: unknown): void {
  act(() => void element.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true })));
}
