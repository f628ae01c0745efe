/** Lazy part "form": what is being booked, for how much, on which terms; and the words that go with it. */

import { html, nothing, type TemplateResult } from "lit";
import type { ApiError } from "../../api/errors.js";
import type { Rendered, View } from "../../booking/contracts.js";
import { arrow, button, clock, explain, failure, message, priceOf, renderErrors, signInMessage, summary, waitingMessage, whenOf, valueOf } from "../../ui/view.js";
import { chosenListing, chosenOffer, chosenPrice, chosenQuestions } from "../../booking/request.js";
import { isSubmitting, type BookingState } from "../../booking/state.js";
import { renderQuestions } from "./questions.js";
import { paymentText, placeOf, sessionsOf, termsOf, totalOf } from "./terms.js";

export { answersIn, missingAnswers, renderQuestions } from "./questions.js";
export { renderResult } from "./result.js";

export function renderForm(view: View): TemplateResult {
  const { words, state, flow } = view;
  const isBusy = isSubmitting(state);
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    void flow.submit();
  };
  return html`<form class="form" part="form" novalidate aria-busy=${isBusy ? "true" : "false"} @submit=${submit}>
    <button type="button" class="link" part="button" ?disabled=${isBusy} @click=${() => flow.leaveForm()}>
      ${arrow("m15 6-6 6 6 6")} ${words.back}
    </button>
    <h3 tabindex="-1" data-focus>${words.form.title}</h3>
    ${renderSummary(view)} ${renderHold(view)}
    ${needsSignIn(state) ? signInMessage(view, undefined, words.form.signInToBook) : renderFields(view, isBusy)}
  </form>`;
}

/** Whether someone must sign in before there is anything to fill in. */
function needsSignIn({ needsSignIn, submission }: BookingState): boolean {
  return needsSignIn && submission.kind !== "refused";
}

function renderFields(view: View, isBusy: boolean): TemplateResult {
  const { words, state, flow, course, enhanced } = view;
  const { form, fieldErrors } = state;
  return html`<fieldset class="fields" ?disabled=${isBusy}>
      ${course?.renderFields(view) ?? nothing}
      <div class="field">
        <label for="title">${words.form.subject}</label>
        <input
          id="title"
          name="title"
          required
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
          .value=${form.notes}
          aria-invalid=${fieldErrors.notes ? "true" : "false"}
          aria-describedby="notes-error"
          @input=${(event: Event) => flow.fillIn({ notes: valueOf(event) })}
        ></textarea>
        ${renderErrors("notes-error", fieldErrors.notes)}
      </div>
      ${renderAsked(view)} ${enhanced?.extras?.series.render() ?? nothing}
      ${renderErrors("recurrence-error", fieldErrors.recurrence)} ${renderErrors("other-error", fieldErrors.other)}
    </fieldset>
    ${renderOutcome(view)} ${renderSubmit(view, isBusy || !state.bundles)}`;
}

function renderAsked(view: View): Rendered {
  const { form, fieldErrors } = view.state;
  const { answers = {} } = form;
  return renderQuestions(view, {
    questions: chosenQuestions(view.state),
    answers,
    errors: fieldErrors,
    prefix: "answer",
    answer: (id, value) => view.flow.fillIn({ answers: { ...answers, [id]: value } }),
  });
}

/** When, where, with whom, for how much, and what a cancellation costs. */
function renderSummary(view: View): TemplateResult {
  const { words, state } = view;
  const { slot } = state;
  const listing = chosenListing(state);
  const price = chosenPrice(state);
  const paid = paymentText(view, state.payment?.kind === "bundle", price, sessionsOf(view));
  return summary([
    [words.form.when, slot && whenOf(view, slot)],
    [words.card.coach, state.course && chosenOffer(state)?.mentor.name],
    [words.form.where, placeOf(view, listing)],
    [words.form.price, paid && html`<b>${paid}</b>`],
    [words.form.terms, listing && termsOf(view, listing, price)],
  ]);
}

function renderHold(view: View): Rendered {
  const { words, state, flow, now } = view;
  const { hold } = state;
  if (state.needsSignIn || isSubmitting(state)) return nothing;
  if (hold.kind === "held") {
    return html`<p class="hold" role="timer">${words.form.held(clock(hold.endsAt - now))}</p>`;
  }
  if (hold.kind !== "expired") return nothing;
  const again = button(words.form.keepAgain, () => flow.holdAgain());
  return message("warning", words.form.expired, again);
}

function renderOutcome(view: View): Rendered {
  const { needsSignIn, submission } = view.state;
  if (needsSignIn) return signInMessage(view);
  if (submission.kind === "refused") {
    const { error } = submission;
    if (error.presentTerms) return message("warning", [explain(view.words, error), " ", html`<b>${presentTerms(view, error)}</b>`]);
    const isUnsure = error.isTemporary && error.status !== 429;
    return failure(view, error, isUnsure ? html`<p>${view.words.form.unsure}</p>` : nothing);
  }
  if (submission.kind !== "sending" || !submission.waiting) return nothing;
  return waitingMessage(view, submission.waiting);
}

function presentTerms(view: View, { code }: ApiError): string | null {
  const [listing, price] = [chosenListing(view.state), chosenPrice(view.state)];
  return code === "price_changed" ? price && priceOf(view, price) : listing && termsOf(view, listing, price);
}

function renderSubmit(view: View, isBusy: boolean): TemplateResult {
  const { words, state } = view;
  const isRequest = !state.course && state.listing?.bookingMode === "request";
  const price = chosenPrice(state);
  const booking = price?.amount ? words.form.bookFor(totalOf(view, price, sessionsOf(view))) : words.form.book;
  const isRefused = state.submission.kind === "refused" && state.submission.error.isTemporary;
  const idle = isRefused ? words.tryAgain : isRequest ? words.form.request : booking;
  return html`<div class="submit">
    <button type="submit" class="primary" part="button primary" ?disabled=${isBusy}>
      ${isBusy ? html`<span class="spinner" aria-hidden="true"></span> ${words.form.sending}` : idle}
    </button>
    ${isRequest ? html`<p class="muted">${words.form.requestHint}</p>` : nothing}
  </div>`;
}
