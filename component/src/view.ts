/** What every view is given, and the small pieces that several of them show. */

import { html, nothing, type TemplateResult } from "lit";
import type { Waiting } from "./api/client.js";
import type { ApiError } from "./api/errors.js";
import type { Money } from "./api/types.js";
import type { BookingFlow } from "./booking/flow.js";
import type { BookingState } from "./booking/state.js";
import { formatMoney } from "./format/money.js";
import type { EnhancedPart, RealtimePart, Rendered } from "./parts.js";
import { plural, type Plural, type Words } from "./text/index.js";

export interface View {
  readonly state: Readonly<BookingState>;
  readonly flow: BookingFlow;
  readonly words: Words;
  /** A BCP 47 tag for Intl. */
  readonly locale: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly enhanced: EnhancedPart | null;
  readonly realtime: RealtimePart | null;
  readonly signInUrl: string | null;
  readonly showAvailability: boolean;
}

export function count(view: Pick<View, "words">, number: number, forms: Plural): string {
  return plural(view.words.code, number, forms);
}

/** An amount, or "Free". */
export function priceOf(view: Pick<View, "words" | "locale">, price: Money): string {
  return price.amount === 0 ? view.words.card.free : formatMoney(price, view.locale);
}

/** A duration: "45 minutes", "1 hour", "90 minutes". */
export function durationOf(view: Pick<View, "words">, minutes: number): string {
  const { plurals } = view.words;
  return minutes % 60 ? count(view, minutes, plurals.minutes) : count(view, minutes / 60, plurals.hours);
}

/** Why something failed, for people: our own words where there are some, else the API's sentence. */
export function explain(words: Words, error: ApiError): string {
  const { problems } = words;
  if (error.code === "slot_taken" && error.details["mentee"]) return problems["mentee_busy"] ?? error.message;
  const own = problems[error.code] ?? (error.status >= 500 ? problems["unexpected"] : undefined);
  return own ?? (error.status ? error.message : (problems["unexpected"] ?? error.message));
}

/** A message that screen readers hear at once. */
export function failure(view: Pick<View, "words">, error: ApiError, action: Rendered = nothing): TemplateResult {
  const reference = error.status >= 500 && error.requestId ? view.words.reference(error.requestId) : "";
  return html`<div class="message danger" part="message" role="alert">
    <p>${explain(view.words, error)} ${reference ? html`<small>${reference}</small>` : nothing}</p>
    ${action}
  </div>`;
}

/** Why a request is not answered yet. */
export function waitingText(view: Pick<View, "words" | "now">, waiting: Waiting): string {
  const seconds = Math.max(1, Math.ceil((waiting.until - view.now) / 1000));
  return view.words.waiting[waiting.reason](count(view, seconds, view.words.plurals.seconds));
}

/** Milliseconds as "4:59". */
export function clock(milliseconds: number): string {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
