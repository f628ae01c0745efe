/** Prices and returned credits, in the words of sessions. */

import type { CancellationQuote, Money } from "../api/types.js";
import type { SessionWords } from "../i18n/enhanced/words.js";
import { formatMoney } from "../i18n/money.js";
import { momentOf } from "./view.js";

type ReturnedCredit = Pick<CancellationQuote, "creditReturned" | "creditValidTo">;

/** An amount, or "Free". */
export function moneyOf({ words, locale }: { words: SessionWords; locale: string }, money: Money): string {
  return money.amount === 0 ? words.details.free : formatMoney(money, locale);
}

/** Whether a credit comes back that can be used again: to a bundle that goes on. */
export function isCreditUsable({ creditReturned, creditValidTo }: ReturnedCredit): boolean {
  return creditReturned === true && (creditValidTo === null || Date.parse(creditValidTo) > Date.now());
}

/** Whether the credit that paid comes back, in words; empty where none paid. */
export function creditText(view: { words: SessionWords; locale: string; zone: string }, credit: ReturnedCredit): string {
  const { creditBack, creditBackUntil, creditLost, creditSpent } = view.words.cancelling;
  if (credit.creditReturned === null) return "";
  if (!credit.creditReturned) return creditSpent;
  if (credit.creditValidTo === null) return creditBack;
  return (isCreditUsable(credit) ? creditBackUntil : creditLost)(momentOf(view, Date.parse(credit.creditValidTo)));
}
