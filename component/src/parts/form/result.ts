/** The outcome of the booking: booked, requested, waiting, or closed. */

import { html, nothing, type TemplateResult } from "lit";
import { button, summary, whenOf } from "../../ui/view.js";
import type { Outcome, View } from "../../booking/contracts.js";
import { paymentText, placeOf, sessionsOf } from "./terms.js";
import { chosenListing, chosenOffer, chosenPrice } from "../../booking/request.js";

export function renderResult(view: View): TemplateResult {
  const { words, state, flow, enhanced, realtime } = view;
  const { submission } = state;
  const series = "series" in submission && submission.series ? enhanced?.extras?.series.renderResult(submission.series) : nothing;
  const { tone, title, hint } = outcomeOf(view);
  const another = button(words.result.another, () => flow.bookAnother());
  const isOpen = submission.kind === "sending" || submission.kind === "queued";
  return html`<section class="result" part="result" aria-busy=${submission.kind === "sending" ? "true" : "false"}>
    <div class="outcome ${tone}">
      ${tone === "success" ? html`<span class="mark" aria-hidden="true">✓</span>` : nothing}
      ${submission.kind === "sending" ? html`<span class="spinner" aria-hidden="true"></span>` : nothing}
      <div>
        <h2 tabindex="-1" data-focus>${title}</h2>
        ${hint ? html`<p class="muted" role="status">${hint}</p>` : nothing}
      </div>
    </div>
    ${renderDetails(view)} ${series ?? nothing}
    ${isOpen
      ? submission.kind === "queued" && realtime
        ? realtime.renderQueued()
        : nothing
      : (flow.following?.render(view, another) ?? html`<div class="actions">${another}</div>`)}
  </section>`;
}

function outcomeOf({ words, state: { submission }, flow, locale }: View): Outcome {
  const { form, result } = words;
  switch (submission.kind) {
    case "booked":
    case "pending":
      return { tone: "success", title: result.booked, hint: flow.following?.hint(submission, locale) };
    case "requested":
      return { tone: "waiting", title: result.requested, hint: form.requestHint };
    case "queued":
      return { tone: "waiting", title: result.queued };
    case "unpaid":
    case "closed":
      return flow.following?.outcome(submission.booking, locale) ?? { tone: "waiting", title: result.confirming };
    default:
      return { tone: "waiting", title: result.confirming };
  }
}

/** The booking as the API has it; before its answer, as it was chosen. */
function renderDetails(view: View): TemplateResult {
  const { words, state } = view;
  const booking = "booking" in state.submission ? state.submission.booking : null;
  const time = booking ?? state.slot;
  const price = booking?.price ?? chosenPrice(state);
  const name = booking?.mentor?.name ?? chosenOffer(state)?.mentor.name;
  const series = "series" in state.submission ? state.submission.series : null;
  const sessions = booking ? (series?.made.length ?? 1) : sessionsOf(view);
  const isByCredit = booking ? booking.bundlePurchaseId !== null : state.payment?.kind === "bundle";
  return summary([
    [words.form.when, time && whenOf(view, time)],
    [words.result.with, name],
    [words.form.subject, booking?.title ?? state.form.title],
    [words.form.where, placeOf(view, booking ?? chosenListing(state))],
    [words.form.price, paymentText(view, isByCredit, price, sessions)],
  ]);
}
