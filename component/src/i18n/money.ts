/** Money in the reader's language. */

import type { Money } from "../api/types.js";

/** Currencies without minor units, and with thousandths, by ISO 4217: browsers show fewer decimals of some. */
const WHOLE = /BIF|CLP|DJF|GNF|ISK|JPY|KMF|KRW|PYG|RWF|UGX|VND|VUV|XAF|XOF|XPF/;
const THOUSANDTHS = /BHD|IQD|JOD|KWD|LYD|OMR|TND/;

/** `{"amount": 4000, "currency": "USD"}` as "$40.00"; without decimals where the amount has none. */
export function formatMoney(money: Money, locale: string): string {
  const digits = fractionDigits(money.currency);
  const amount = money.amount / 10 ** digits;
  return new Intl.NumberFormat(locale, {
    style: "currency",
    currency: money.currency,
    minimumFractionDigits: Number.isInteger(amount) ? 0 : digits,
    maximumFractionDigits: digits,
  }).format(amount);
}

/** How many decimals a currency has: 2 for USD, 0 for JPY, 3 for KWD. */
export function fractionDigits(currency: string): number {
  return WHOLE.test(currency) ? 0 : THOUSANDTHS.test(currency) ? 3 : 2;
}
