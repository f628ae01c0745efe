"use client";
/** `<session-booking>` as a React component: attributes by React, properties and listeners by effects. */

import { createElement, forwardRef, useEffect, useImperativeHandle, useLayoutEffect, useRef } from "react";
import type { Ref } from "react";
import type { Variant } from "../../src/public/index.js";
import { loadElement } from "./load.js";
import { ATTRIBUTES, EVENTS } from "./props.js";
import type { SessionBookingElement, UnifiedSessionBookingProps, VariantProps } from "./props.js";

// Before the element reads its properties; on the server, where React warns of it, there is no effect at all.
const useElementEffect = typeof document === "undefined" ? useEffect : useLayoutEffect;

/** Books sessions, and shows them, in the variant that is given. */
export const UnifiedSessionBooking = forwardRef<SessionBookingElement, UnifiedSessionBookingProps>(
  function UnifiedSessionBooking(props, ref) {
    const { children, onLoadError: _, token, sessionActions, onSuccess, onPay, words, ...rest } = props;
    const element = useRef<SessionBookingElement>(null);
    const latest = useRef(props);
    // One for all renders, those of strict mode included: another one restarts the element.
    const latestToken = useRef(() => tokenOf(latest.current));
    useImperativeHandle(ref, () => element.current as SessionBookingElement, []);

    useElementEffect(() => {
      latest.current = props;
      if (!element.current) return;
      element.current.sessionActions = sessionActions ?? null;
      element.current.onSuccess = onSuccess ?? null;
      element.current.onPay = onPay ?? null;
      if (contentOf(element.current.words) !== contentOf(words)) element.current.words = words ?? null;
    });

    // The element takes the functions that a page writes in each render for the same ones.
    const fixedToken = typeof token === "function" ? null : (token ?? null);
    const hasTokenFunction = typeof token === "function";
    useElementEffect(() => {
      if (!element.current) return;
      element.current.token = hasTokenFunction ? latestToken.current : fixedToken;
    }, [fixedToken, hasTokenFunction]);

    useElementEffect(() => listen(element.current, latest), []);

    const { api } = props;
    useEffect(() => {
      if (!api) return;
      loadElement(api).catch((error: Error) => (latest.current.onLoadError ?? reportError)(error));
    }, [api]);

    return createElement("session-booking", { ...attributesOf(rest), ref: element as Ref<HTMLElement> }, children);
  },
);

function tokenOf({ token }: UnifiedSessionBookingProps): string | null | Promise<string | null> {
  return typeof token === "function" ? token() : (token ?? null);
}

/** The texts of words, by which two renders are compared: other texts restart the element. */
function contentOf(words: UnifiedSessionBookingProps["words"]): string {
  return JSON.stringify(words ?? {}, (_, word: unknown) => (typeof word === "function" ? String(word) : word));
}

function listen(
  element: SessionBookingElement | null,
  latest: { readonly current: UnifiedSessionBookingProps },
): () => void {
  const ended = new AbortController();
  for (const [prop, event] of Object.entries(EVENTS)) {
    const call = (happened: Event): void => {
      const handler = latest.current[prop as keyof typeof EVENTS] as ((happened: Event) => void) | undefined;
      handler?.(happened);
    };
    element?.addEventListener(event, call, { signal: ended.signal });
  }
  return () => ended.abort();
}

/**
 * The attributes of props, as React 18 and 19 both write them: null, for what is left out, is also what React 19 sets as
 * a property where the element has one; React 18 writes `class` and booleans of custom elements as they are.
 */
function attributesOf({ className, hidden, ...props }: UnifiedSessionBookingProps): Record<string, unknown> {
  const attributes: Record<string, unknown> = { class: className, hidden: hidden ? "hidden" : null };
  for (const [prop, attribute] of Object.entries(ATTRIBUTES)) {
    const value = props[prop as keyof typeof ATTRIBUTES] ?? (prop === "variant" ? "basic" : null);
    attributes[attribute] = value === null ? null : String(value);
  }
  const others = Object.entries(props).filter(([prop]) => !(prop in ATTRIBUTES) && !(prop in EVENTS));
  return { ...attributes, ...Object.fromEntries(others) };
}

function withVariant(name: string, variant: Variant) {
  const Booking = forwardRef<SessionBookingElement, VariantProps>((props, ref) =>
    createElement(UnifiedSessionBooking, { ...props, variant, ref }),
  );
  Booking.displayName = name;
  return Booking;
}

/** Books sessions. */
export const SessionBookingForm = withVariant("SessionBookingForm", "basic");
/** Books sessions and series of them, shows why times are refused, and runs sessions. */
export const EnhancedSessionBooking = withVariant("EnhancedSessionBooking", "enhanced");
/** The same, kept right by live updates. */
export const RealtimeSessionBooking = withVariant("RealtimeSessionBooking", "realtime");
