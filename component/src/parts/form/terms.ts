/** Place, price and terms of what is being booked, in words. */

import { startOf } from "../../booking/calendar/slots.js";
import type { Listing, Money } from "../../api/types.js";
import type { View } from "../../booking/contracts.js";
import { formatMoment } from "../../i18n/time.js";
import { priceOf } from "../../ui/view.js";

const HOUR_MS = 3_600_000;

export function placeOf({ words }: Pick<View, "words">, of: Pick<Listing, "location"> | null): string {
  if (of?.location?.kind === "address") return of.location.value ?? words.form.inPerson;
  return of?.location?.kind === "phone" ? words.form.phone : words.form.online;
}

/** How many sessions are being booked, as far as is known. */
export function sessionsOf({ enhanced }: View): number {
  return enhanced?.extras?.series.sessions() ?? 1;
}

/** The price, or the sessions of a bundle; of a series, also in all. */
export function paymentText(view: View, isByCredit: boolean, price: Money | null, sessions: number): string | null | undefined {
  if (isByCredit) return view.course?.creditsText(view, sessions);
  if (!price) return null;
  return sessions > 1 && price.amount ? view.words.form.inAll(totalOf(view, price, sessions), priceOf(view, price)) : priceOf(view, price);
}

export function totalOf(view: View, price: Money, sessions: number): string {
  return priceOf(view, { ...price, amount: price.amount * sessions });
}

/** The cost of a cancellation, and until when it is free. */
export function termsOf(view: View, listing: Listing, price: Money | null): string {
  const { words, locale, state, course, now } = view;
  const { cancellation } = listing;
  if (!cancellation) return words.form.noCancelling;
  const { windowHours, lateFeePercent } = cancellation;
  const fee = price && Math.floor((price.amount * lateFeePercent + 50) / 100);
  if (!lateFeePercent || !state.slot || fee === 0) return words.form.alwaysFree;
  const freeUntil = startOf(state.slot) - windowHours * HOUR_MS;
  const free = freeUntil > now ? `${words.form.freeUntil(formatMoment(freeUntil, locale, state.zone))} ` : `${words.form.freeAtFirst} `;
  if (!price || fee === null) return free + ((state.payment && course?.courseWords(view).lateCredit) ?? "");
  const percent = new Intl.NumberFormat(locale, { style: "percent" }).format(lateFeePercent / 100);
  const due = priceOf(view, { ...price, amount: fee });
  return free + words.form.lateFee(due, percent);
}
