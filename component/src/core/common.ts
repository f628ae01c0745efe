/** What several modules of the part need: moments, amounts and numbers in words, failures of one kind. */

import type { CSSResult } from "lit";
import { ApiError } from "../api/errors.js";
import type { CancellationQuote, Money } from "../api/types.js";
import type { BookingState } from "../booking/state.js";
import { formatMoney } from "../i18n/money.js";
import { formatMoment } from "../i18n/time.js";
import type { PartContext } from "../booking/contracts.js";
import { plural, type Plural } from "../i18n/language.js";
import type { SessionWords } from "../i18n/enhanced/words.js";

type ReturnedCredit = Pick<CancellationQuote, "creditReturned" | "creditValidTo">;

/** Where the free times are read: of the course, or of the mentor, whom a listing alone may name. */
export function slotsPathOf({ course, offers }: BookingState): string {
  return course ? `/courses/${course.id}/slots` : `/mentors/${offers[0]?.mentor.id}/slots`;
}

/** Gives the element the look of a part, for as long as it is in the page. */
export function adoptStyles({ element }: PartContext, { styleSheet }: CSSResult): void {
  const { adoptedStyleSheets } = element.renderRoot as ShadowRoot;
  if (styleSheet && !adoptedStyleSheets.includes(styleSheet)) adoptedStyleSheets.push(styleSheet);
}

/** A date and a time of day in the visitor's zone. */
export function momentOf({ locale, zone }: { locale: string; zone: string }, instant: number): string {
  return formatMoment(instant, locale, zone);
}

/** An amount, or "Free". */
export function moneyOf({ words, locale }: { words: SessionWords; locale: string }, money: Money): string {
  return money.amount === 0 ? words.details.free : formatMoney(money, locale);
}

/** Whether a credit comes back that can be used again: to a bundle that goes on. */
export function isCreditUsable({ creditReturned, creditValidTo }: ReturnedCredit): boolean {
  return creditReturned === true && (creditValidTo === null || Date.parse(creditValidTo) > Date.now());
}

/** What becomes of the credit that paid; empty where none did. */
export function creditText(view: { words: SessionWords; locale: string; zone: string }, credit: ReturnedCredit): string {
  const { creditBack, creditBackUntil, creditLost, creditSpent } = view.words.cancelling;
  if (credit.creditReturned === null) return "";
  if (!credit.creditReturned) return creditSpent;
  if (credit.creditValidTo === null) return creditBack;
  return (isCreditUsable(credit) ? creditBackUntil : creditLost)(momentOf(view, Date.parse(credit.creditValidTo)));
}

export function countOf({ context }: { context: PartContext }, number: number, forms: Plural): string {
  return plural(context.words.code, number, forms);
}

/** Does the same work for several things, some at once; the results are in their order. */
export async function mapSome<T, R>(things: readonly T[], atOnce: number, work: (thing: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const waiting = [...things.entries()];
  const run = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) results[next[0]] = await work(next[1]);
  };
  await Promise.all(Array.from({ length: atOnce }, run));
  return results;
}

/** What a page's own action failed with is a failure like the API's. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError(0, "page", error instanceof Error ? error.message : typeof error === "string" ? error : "");
}
