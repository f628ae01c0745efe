/** Lazy part "following": what becomes of a booking until its session exists, the payment of it, and the way to withdraw it. */

import { html, nothing, type TemplateResult } from "lit";
import { delay, type Client } from "../../api/client.js";
import { ApiError } from "../../api/errors.js";
import type { Booking, Page, Session } from "../../api/types.js";
import { isAwaited, kindOf, type Submission } from "../../booking/state.js";
import type { SentRequest } from "../../booking/saved.js";
import { Latest } from "../../core/work.js";
import { formatMoment } from "../../i18n/time.js";
import type { FlowContext, Followed, FollowingPart, Outcome, Rendered, View } from "../../booking/contracts.js";
import { button, failure, message } from "../../ui/view.js";
import { Paying } from "./paying.js";
import { followingWords } from "./words.js";

/** Before each look at a session that is being created, which takes seconds; the last one again and again. */
const SESSION_PAUSES_MS = [0, 1_000, 1_000, 2_000, 5_000, 10_000, 30_000];
/** After so many looks, people are told that it takes long. */
const LOOKS_UNTIL_LATE = 5;
/** Before each look at a request that a mentor decides, which takes days. */
const DECISION_PAUSES_MS = [10_000, 15_000, 30_000, 60_000];
/** Before each look at a booking that is not paid; what people see of it looks as well. */
const PAYMENT_PAUSES_MS = [0, 30_000];
const MINUTE_MS = 60_000;
const PAUSES = { pending: SESSION_PAUSES_MS, requested: DECISION_PAUSES_MS, unpaid: PAYMENT_PAUSES_MS };

export { Paying };

export class Following implements FollowingPart {
  readonly #runs: Latest;
  readonly #paying: Paying;

  constructor(
    private readonly context: FlowContext,
    private readonly followed: Followed,
  ) {
    this.#runs = new Latest(context.signal);
    this.#paying = new Paying(context, () => this.follow());
    this.#paying.store.subscribe(() => this.#renderAgain(), context.signal);
  }

  async follow(bookingId: string | null = null): Promise<void> {
    const signal = this.#runs.next();
    const { client, store } = this.context;
    try {
      if (bookingId) {
        const booking = await client.get<Booking>(`/bookings/${bookingId}`, {}, { signal });
        const kind = kindOf(booking);
        // Whoever comes back from the payment page wants to know that it was too late.
        if (kind ?? booking.payment) store.update({ submission: { kind: kind ?? "closed", booking } });
        if (!kind) return this.followed.forget();
      }
      this.#renderAgain();
      const { submission } = store.state;
      if (!isAwaited(submission)) return;
      const { kind, booking } = submission;
      if (kind === "pending") {
        this.followed.sessionChanged(await this.#look<Session>(`/sessions/${booking.sessionId}`, kind, () => true, signal));
      } else {
        const isDecided = (found: Booking): boolean => found.status !== booking.status;
        this.followed.bookingChanged(await this.#look<Booking>(`/bookings/${booking.id}`, kind, isDecided, signal));
      }
    } catch (error) {
      if (signal.aborted) return;
      // It is booked or requested all the same: the result stays.
      this.followed.report(error, "session");
      if (bookingId && !ApiError.of(error).isTemporary) this.followed.forget();
    }
  }

  /** Withdraws the request, or the booking that is not paid with all of its series. A second call meanwhile does nothing. */
  async withdraw(): Promise<void> {
    const { client, store } = this.context;
    const { submission } = store.state;
    if ((submission.kind !== "requested" && submission.kind !== "unpaid") || submission.withdrawal === "sending") return;
    const { id, seriesId, startTime } = submission.booking;
    const change = (withdrawal: "sending" | ApiError | undefined): void => {
      const { submission: shown } = store.state;
      if (shown.kind === submission.kind && shown.booking.id === id) store.update({ submission: { ...shown, withdrawal } });
    };
    change("sending");
    try {
      // One key for all attempts, also after a reload: a request is withdrawn once.
      const key = `withdraw-${id}`;
      const reason = this.#words(this.context.options.locale).notPaid;
      const isWhole = submission.kind === "unpaid" && seriesId !== null;
      const sent = isWhole
        ? client
            .post(`/series/${seriesId}/cancel`, { from: startTime, reason }, { key })
            .then(() => client.get<Booking>(`/bookings/${id}`))
        : client.post<Booking>(`/bookings/${id}/cancel`, {}, { key });
      const withdrawn = sent.catch((error: unknown) => {
        // Decided meanwhile: the booking tells how.
        if (ApiError.of(error).code === "invalid_transition") return client.get<Booking>(`/bookings/${id}`);
        throw error;
      });
      this.followed.bookingChanged(await withdrawn);
      change(undefined);
    } catch (error) {
      change(ApiError.of(error));
      this.followed.report(error, "cancel");
    }
  }

  #words(locale: string): ReturnType<typeof followingWords> {
    return followingWords({ locale, words: this.context.words });
  }

  render(view: View, others: TemplateResult): Rendered {
    const { submission } = view.state;
    const words = this.#words(view.locale);
    const lookAgain = (): void => {
      if (submission.kind === "pending") this.context.store.update({ submission: { ...submission, isLate: false } });
      void this.follow();
    };
    if (submission.kind === "pending" && submission.isLate) {
      return html`${message("note", words.late, button(words.lookAgain, lookAgain))}
        <div class="actions">${others}</div>`;
    }
    if (submission.kind !== "requested" && submission.kind !== "unpaid") return html`<div class="actions">${others}</div>`;
    const { kind, withdrawal, series, booking } = submission;
    const one = series ? words.withdrawOne(formatMoment(Date.parse(booking.startTime), view.locale, view.state.zone)) : words.withdraw;
    const isSending = withdrawal === "sending";
    const buttons = html`<button
        type="button"
        part="button"
        data-action="withdraw"
        aria-disabled=${isSending ? "true" : nothing}
        @click=${() => void this.withdraw()}
      >
        ${isSending
          ? html`<span class="spinner" aria-hidden="true"></span> ${view.words.form.sending}`
          : kind === "unpaid"
            ? words.cancelUnpaid
            : one}
      </button>
      ${others}`;
    const { words: shown, locale, state } = view;
    return html`${typeof withdrawal === "object" ? failure(view, withdrawal) : nothing}
      ${kind === "unpaid" && booking.payment
        ? this.#paying.render({ words: shown, locale, zone: state.zone }, booking.payment, buttons)
        : html`<div class="actions">${buttons}</div>`}`;
  }

  hint(submission: Submission, locale: string): string | undefined {
    const words = this.#words(locale);
    const isPaid = "booking" in submission && submission.booking.payment && submission.booking.payment.status !== "waived";
    const hints = [
      isPaid ? words.paid : "",
      submission.kind === "pending" && !submission.isLate ? words.pending : "",
    ];
    return hints.filter(Boolean).join(" ") || undefined;
  }

  outcome({ status, declineReason, cancelReason, payment }: Booking, locale: string): Outcome {
    const words = this.#words(locale);
    if (status === "awaiting_payment") return { tone: "waiting", title: words.unpaid };
    if (status === "declined") {
      const hint = declineReason ? { hint: words.declinedReason(declineReason) } : {};
      return { tone: "closed", title: words.declined, ...hint };
    }
    // Money that came too late goes back.
    const refund = payment && payment.refundDue.amount + payment.refunded.amount > 0 ? { hint: words.refunded } : {};
    if (cancelReason === "unpaid") return { tone: "closed", title: words.lapsed, ...refund };
    const title = cancelReason === "expired" ? words.expired : payment ? words.cancelled : words.withdrawn;
    return { tone: "closed", title, ...refund };
  }

  /** Also with this part, where it was not there before. */
  #renderAgain(): void {
    this.context.store.update(({ submission }) => ({ submission: { ...submission } }));
  }

  stop(): void {
    this.#runs.stop();
  }

  /** Reads until it is there as it is wanted; rests while the page is hidden. */
  async #look<T>(path: string, kind: keyof typeof PAUSES, isWanted: (found: T) => boolean, signal: AbortSignal): Promise<T> {
    const { client, realtime, store } = this.context;
    const pauses = PAUSES[kind];
    for (let look = 0; ; look++) {
      // A stream brings the session, but not that a mentor declined.
      const step = realtime?.followsSessions && kind === "requested" ? Infinity : look;
      await delay(pauses[Math.min(step, pauses.length - 1)] as number, signal);
      await untilShown(signal);
      try {
        const found = await client.get<T>(path, {}, { signal });
        if (isWanted(found)) return found;
      } catch (error) {
        signal.throwIfAborted();
        const { code, isTemporary, status } = ApiError.of(error);
        if (!isTemporary && status !== 401 && code !== "session_pending") throw error;
      }
      const { submission } = store.state;
      if (look >= LOOKS_UNTIL_LATE && submission.kind === "pending" && !submission.isLate) {
        store.update({ submission: { ...submission, isLate: true } });
      }
    }
  }
}

/** The page can be seen. */
async function untilShown(signal: AbortSignal): Promise<void> {
  while (document.hidden) {
    await new Promise((resolve) => {
      document.addEventListener("visibilitychange", resolve, { once: true, signal });
      signal.addEventListener("abort", resolve, { once: true });
    });
    signal.throwIfAborted();
  }
}

/** The booking of a request whose answer never came; null where there is none. */
export async function findBooking(client: Client, { body }: SentRequest, signal: AbortSignal): Promise<Booking | null> {
  const sent = JSON.parse(body) as Record<string, string | undefined>;
  const start = Date.parse(sent["startTime"] ?? sent["scheduledAt"] ?? "");
  const to = new Date(start + MINUTE_MS).toISOString();
  const query = { role: "mentee", from: new Date(start).toISOString(), to, limit: 100 };
  const { items } = await client.get<Page<Booking>>("/bookings", query, { signal });
  const isMeant = ({ listingId, mentorProfileId }: Booking): boolean =>
    mentorProfileId === sent["mentorProfileId"] || (Boolean(listingId) && listingId === sent["listingId"]);
  return items.find((each) => kindOf(each) && isMeant(each)) ?? null;
}
