/** Lazy part "following": what becomes of a booking until its session exists, and the way to withdraw a request. */

import { html, nothing, type TemplateResult } from "lit";
import { delay, type Client } from "../../api/client.js";
import { ApiError } from "../../api/errors.js";
import type { Booking, Page, Session } from "../../api/types.js";
import type { Submission } from "../../booking/state.js";
import type { SentRequest } from "../../booking/saved.js";
import { Latest } from "../../core/work.js";
import { formatMoment } from "../../i18n/time.js";
import type { FlowContext, Followed, FollowingPart, Outcome, Rendered, View } from "../../booking/contracts.js";
import { button, failure, message } from "../../ui/view.js";
import { followingWords } from "./words.js";

/** Before each look at a session that is being created, which takes seconds; the last one again and again. */
const SESSION_PAUSES_MS = [0, 1_000, 1_000, 2_000, 5_000, 10_000, 30_000];
/** After so many looks, people are told that it takes long. */
const LOOKS_UNTIL_LATE = 5;
/** Before each look at a request that a mentor decides, which takes days. */
const DECISION_PAUSES_MS = [10_000, 15_000, 30_000, 60_000];
const MINUTE_MS = 60_000;

export class Following implements FollowingPart {
  readonly #runs: Latest;

  constructor(
    private readonly context: FlowContext,
    private readonly followed: Followed,
  ) {
    this.#runs = new Latest(context.signal);
  }

  async follow(bookingId: string | null = null): Promise<void> {
    const signal = this.#runs.next();
    const { client, store } = this.context;
    try {
      if (bookingId) {
        const booking = await client.get<Booking>(`/bookings/${bookingId}`, {}, { signal });
        if (!isOpen(booking)) return this.followed.forget();
        store.update({ submission: { kind: booking.status === "draft" ? "requested" : "pending", booking } });
      }
      // Rendered again, now with this part.
      store.update(({ submission }) => ({ submission: { ...submission } }));
      const { submission } = store.state;
      if (submission.kind === "pending") {
        const path = `/sessions/${submission.booking.sessionId}`;
        this.followed.sessionChanged(await this.#look<Session>(path, SESSION_PAUSES_MS, () => true, signal));
      } else if (submission.kind === "requested") {
        const isDecided = ({ status }: Booking): boolean => status !== "draft";
        const path = `/bookings/${submission.booking.id}`;
        this.followed.bookingChanged(await this.#look<Booking>(path, DECISION_PAUSES_MS, isDecided, signal));
      }
    } catch (error) {
      if (signal.aborted) return;
      // It is booked or requested all the same: the result stays.
      this.followed.report(error, "session");
      if (bookingId && !ApiError.of(error).isTemporary) this.followed.forget();
    }
  }

  /** Withdraws the request. A second call while it is being withdrawn does nothing. */
  async withdraw(): Promise<void> {
    const { client, store } = this.context;
    const { submission } = store.state;
    if (submission.kind !== "requested" || submission.withdrawal === "sending") return;
    const { id } = submission.booking;
    const change = (withdrawal: "sending" | ApiError | undefined): void => {
      const { submission: shown } = store.state;
      if (shown.kind === "requested" && shown.booking.id === id) store.update({ submission: { ...shown, withdrawal } });
    };
    change("sending");
    try {
      // One key for all attempts, also after a reload: a request is withdrawn once.
      const key = `withdraw-${id}`;
      const withdrawn = client.post<Booking>(`/bookings/${id}/cancel`, {}, { key }).catch((error: unknown) => {
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
    if (submission.kind !== "requested") return html`<div class="actions">${others}</div>`;
    const { withdrawal, series, booking } = submission;
    const label = series ? words.withdrawOne(formatMoment(Date.parse(booking.startTime), view.locale, view.state.zone)) : words.withdraw;
    const isSending = withdrawal === "sending";
    return html`${typeof withdrawal === "object" ? failure(view, withdrawal) : nothing}
      <div class="actions">
        <button
          type="button"
          part="button"
          aria-disabled=${isSending ? "true" : nothing}
          @click=${() => void this.withdraw()}
        >
          ${isSending ? html`<span class="spinner" aria-hidden="true"></span> ${view.words.form.sending}` : label}
        </button>
        ${others}
      </div>`;
  }

  hint(submission: Submission, locale: string): string | undefined {
    return submission.kind === "pending" && !submission.isLate ? this.#words(locale).pending : undefined;
  }

  closed({ status, declineReason, cancelReason }: Booking, locale: string): Outcome {
    const words = this.#words(locale);
    if (status === "declined") {
      const hint = declineReason ? { hint: words.declinedReason(declineReason) } : {};
      return { tone: "closed", title: words.declined, ...hint };
    }
    return { tone: "closed", title: cancelReason === "expired" ? words.expired : words.withdrawn };
  }

  stop(): void {
    this.#runs.stop();
  }

  /** Reads until it is there as it is wanted; rests while the page is hidden. */
  async #look<T>(path: string, pauses: number[], isWanted: (found: T) => boolean, signal: AbortSignal): Promise<T> {
    const { client, realtime, store } = this.context;
    for (let look = 0; ; look++) {
      // A stream brings the session, but not that a mentor declined.
      const step = realtime?.followsSessions && pauses === DECISION_PAUSES_MS ? Infinity : look;
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

function isOpen({ status }: Booking): boolean {
  return status === "draft" || status === "accepted";
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
  return items.find((each) => isOpen(each) && isMeant(each)) ?? null;
}
