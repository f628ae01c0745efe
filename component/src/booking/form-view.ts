/** The form: what is being booked, for how much, on which terms; and the words that go with it. */

import { html, nothing, type TemplateResult } from "lit";
import { valueOf } from "../card.js";
import { startOf } from "../calendar/slots.js";
import { formatSpan, formatter } from "../format/time.js";
import type { Listing, Money } from "../api/types.js";
import type { Rendered } from "../parts.js";
import { clock, count, failure, priceOf, waitingText, type View } from "../view.js";
import { keyOf, paymentsFor } from "./offers.js";
import { canRepeat, chosenListing, chosenOffer, chosenPrice } from "./request.js";
import { isSubmitting, type Payment } from "./state.js";

const HOUR_MS = 3_600_000;
const MAX_TITLE_LENGTH = 200;
const MAX_NOTES_LENGTH = 5000;

export function renderForm(view: View): TemplateResult {
  const { words, state, flow, enhanced } = view;
  const { form, fieldErrors } = state;
  const isBusy = isSubmitting(state);
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    void flow.submit();
  };
  return html`<form class="form" part="form" novalidate aria-busy=${isBusy ? "true" : "false"} @submit=${submit}>
    <button type="button" class="link" part="button" ?disabled=${isBusy} @click=${() => flow.leaveForm()}>
      <span class="back" aria-hidden="true">←</span> ${words.back}
    </button>
    <h3 tabindex="-1" data-focus>${words.form.title}</h3>
    ${renderSummary(view)} ${renderHold(view)}
    <fieldset class="fields" ?disabled=${isBusy}>
      ${renderMentors(view)} ${renderPayments(view)}
      <div class="field">
        <label for="title">${words.form.subject}</label>
        <input
          id="title"
          name="title"
          type="text"
          required
          maxlength=${MAX_TITLE_LENGTH}
          autocomplete="off"
          .value=${form.title}
          aria-invalid=${fieldErrors.title ? "true" : "false"}
          aria-describedby="title-error"
          @input=${(event: Event) => flow.fillIn({ title: valueOf(event) })}
        />
        ${renderErrors("title-error", fieldErrors.title)}
      </div>
      <div class="field">
        <label for="notes">${words.form.notes} <span class="muted">(${words.form.optional})</span></label>
        <textarea
          id="notes"
          name="notes"
          rows="3"
          maxlength=${MAX_NOTES_LENGTH}
          .value=${form.notes}
          aria-invalid=${fieldErrors.notes ? "true" : "false"}
          aria-describedby="notes-error"
          @input=${(event: Event) => flow.fillIn({ notes: valueOf(event) })}
        ></textarea>
        ${renderErrors("notes-error", fieldErrors.notes)}
      </div>
      ${canRepeat(state) ? (enhanced?.renderSeriesFields() ?? nothing) : nothing}
      ${renderErrors("recurrence-error", fieldErrors.recurrence)} ${renderErrors("other-error", fieldErrors.other)}
    </fieldset>
    ${renderOutcome(view)} ${renderSubmit(view, isBusy)}
  </form>`;
}

function renderErrors(id: string, reasons: string[] | undefined): TemplateResult {
  return html`<p class="error" id=${id} role=${reasons ? "alert" : nothing}>${reasons?.join(" ") ?? nothing}</p>`;
}

/** When, where, with whom, for how much, and what a cancellation costs. */
function renderSummary(view: View): TemplateResult {
  const { words, locale, state } = view;
  const { slot, zone } = state;
  const listing = chosenListing(state);
  const price = chosenPrice(state);
  const paid = state.payment?.kind === "bundle" ? words.form.byCredit : price ? priceOf(view, price) : "";
  return html`<dl class="summary" part="summary">
    <div>
      <dt>${words.form.when}</dt>
      <dd>${slot ? formatSpan(startOf(slot), Date.parse(slot.endTime), locale, zone) : nothing}</dd>
    </div>
    ${state.course ? html`<div><dt>${words.card.coach}</dt><dd>${chosenOffer(state)?.mentor.name}</dd></div>` : nothing}
    <div>
      <dt>${words.form.where}</dt>
      <dd>${placeOf(view, listing)}</dd>
    </div>
    ${paid ? html`<div><dt>${words.form.price}</dt><dd><b>${paid}</b></dd></div>` : nothing}
    ${listing ? html`<div><dt>${words.form.terms}</dt><dd>${termsOf(view, listing, price)}</dd></div>` : nothing}
  </dl>`;
}

export function placeOf({ words }: Pick<View, "words">, of: Pick<Listing, "location"> | null): string {
  if (of?.location?.kind === "address") return of.location.value ?? "";
  return of?.location?.kind === "phone" ? words.form.phone : words.form.online;
}

/** What a cancellation costs, and until when it is free. */
function termsOf(view: View, listing: Listing, price: Money | null): string {
  const { words, locale, state, now } = view;
  const { cancellation } = listing;
  if (!cancellation) return words.form.noCancelling;
  const { windowHours, lateFeePercent } = cancellation;
  if (!lateFeePercent || !state.slot) return words.form.alwaysFree;
  const percent = new Intl.NumberFormat(locale, { style: "percent" }).format(lateFeePercent / 100);
  const fee = price ? { ...price, amount: Math.round((price.amount * lateFeePercent) / 100) } : null;
  const freeUntil = startOf(state.slot) - windowHours * HOUR_MS;
  const isByCredit = state.payment?.kind === "bundle";
  const late = isByCredit
    ? words.form.lateCredit
    : fee
      ? words.form.lateFee(priceOf(view, fee), percent)
      : words.form.lateFeePercent(percent);
  if (freeUntil <= now) {
    const passed = words.form.tooLate(count(view, windowHours, words.plurals.hours));
    return fee && !isByCredit ? `${passed} ${words.form.feeNow(priceOf(view, fee), percent)}` : passed;
  }
  const format = formatter(locale, { timeZone: state.zone, dateStyle: "medium", timeStyle: "short" });
  const until = words.form.freeUntil(format.format(freeUntil));
  return `${until} ${late}`;
}

function renderHold(view: View): Rendered {
  const { words, state, flow, now } = view;
  const { hold } = state;
  if (state.needsSignIn || isSubmitting(state)) return nothing;
  if (hold.kind === "requesting") return html`<p class="hold muted">${words.form.holding}</p>`;
  if (hold.kind === "held" && hold.endsAt !== null) {
    return html`<p class="hold" role="timer">${words.form.held(clock(hold.endsAt - now))}</p>`;
  }
  if (hold.kind !== "expired") return nothing;
  return html`<div class="message warning" part="message" role="alert">
    <p>${words.form.expired}</p>
    <button type="button" part="button" @click=${() => flow.holdAgain()}>${words.form.keepAgain}</button>
  </div>`;
}

function renderMentors({ words, state, flow }: View): Rendered {
  const free = state.offers.filter(({ mentor }) => state.slot?.mentorProfileIds.includes(mentor.id));
  if (!state.course || free.length < 2) return nothing;
  return html`<label class="field"
    ><span>${words.form.coach}</span>
    <select @change=${(event: Event) => flow.chooseSlotMentor(valueOf(event))}>
      ${free.map(
        ({ mentor }) =>
          html`<option value=${mentor.id} .selected=${mentor.id === state.slotMentorId}>${mentor.name}</option>`,
      )}
    </select></label
  >`;
}

function renderPayments(view: View): Rendered {
  const { words, state, flow } = view;
  if (!state.course) return nothing;
  const payments = paymentsFor(state);
  if (!payments.length) return html`<p class="message warning" part="message">${words.form.noPayment}</p>`;
  if (payments.length === 1) return nothing;
  return html`<fieldset class="offers">
    <legend>${words.form.payment}</legend>
    ${payments.map(
      (payment) => html`<label class="offer"
        ><input
          type="radio"
          name="payment"
          .checked=${keyOf(payment) === keyOf(state.payment)}
          @change=${() => flow.choosePayment(payment)}
        />
        ${renderPayment(view, payment)}</label
      >`,
    )}
  </fieldset>`;
}

function renderPayment(view: View, payment: Payment): TemplateResult {
  const { words, state } = view;
  if (payment.kind === "product") {
    return html`<span><b>${payment.product.title}</b></span><b class="price">${priceOf(view, payment.product.price)}</b>`;
  }
  const { productId, remainingSessions } = payment.bundle;
  const title = state.products.find((product) => product.id === productId)?.title ?? words.form.bundle;
  return html`<span>${words.form.credit(title, count(view, remainingSessions, words.plurals.credits))}</span>`;
}

function renderOutcome(view: View): Rendered {
  const { words, state, signInUrl } = view;
  if (state.needsSignIn) {
    return html`<div class="message" part="message" role="alert">
      <p>${words.form.signIn}</p>
      ${signInUrl ? html`<a class="button" part="button" href=${signInUrl}>${words.form.signInLink}</a>` : nothing}
    </div>`;
  }
  if (state.submission.kind === "refused") return failure(view, state.submission.error);
  if (state.submission.kind === "sending" && state.submission.waiting) {
    return html`<p class="message warning" part="message" role="status">${waitingText(view, state.submission.waiting)}</p>`;
  }
  return nothing;
}

function renderSubmit(view: View, isBusy: boolean): TemplateResult {
  const { words, state } = view;
  const isRequest = !state.course && state.listing?.bookingMode === "request";
  const price = chosenPrice(state);
  const booking = price?.amount ? words.form.bookFor(priceOf(view, price)) : words.form.book;
  const busy = isRequest ? words.form.requesting : words.form.sending;
  const isRefused = state.submission.kind === "refused" && state.submission.error.isTemporary;
  const idle = isRefused ? words.tryAgain : isRequest ? words.form.request : booking;
  const isBlocked = isBusy || (state.needsSignIn && state.submission.kind !== "refused");
  return html`<div class="submit">
    <button type="submit" class="primary" part="button primary" ?disabled=${isBlocked}>
      ${isBusy ? html`<span class="spinner" aria-hidden="true"></span> ${busy}` : idle}
    </button>
    ${isRequest ? html`<p class="muted">${words.form.requestHint}</p>` : nothing}
  </div>`;
}
