/** The elements that other pages already use: each is `<session-booking>` with one variant. */

import { SessionBooking } from "./element.js";
import type { Variant } from "../core/page.js";

function withVariant(variant: Variant): typeof SessionBooking {
  return class extends SessionBooking {
    override variant: Variant = variant;
  };
}

/** Defines all elements of the component, unless the page has them already. */
export function defineElements(): void {
  define("session-booking", SessionBooking);
  define("session-booking-form", withVariant("basic"));
  define("enhanced-session-booking", withVariant("enhanced"));
  define("realtime-session-booking", withVariant("realtime"));
}

function define(name: string, element: CustomElementConstructor): void {
  if (!customElements.get(name)) customElements.define(name, element);
}
