/** The session: what it is, what can be done with it now, and what happened. */

import { html, nothing, type TemplateResult } from "lit";
import type { Review, Session } from "../../api/types.js";
import type { Rendered } from "../../booking/contracts.js";
import { creditText, moneyOf } from "../../ui/paid.js";
import { button, message, momentOf, signInButton, summary, whenOf } from "../../ui/view.js";
import { renderDialog } from "./dialogs.js";
import { movedOf, reasonOf, renderError, renderStars, renderWaiting, type SessionView } from "./pieces.js";
import {
  historyOf,
  isAlwaysFree,
  isGroup,
  isWebAddress,
  opensAt,
  possible,
  roleOf,
  type Action,
  type DialogName,
  type HistoryEntry,
  type Possible,
} from "./state.js";

export function renderSession(view: SessionView): TemplateResult {
  const { state, words, context, flow } = view;
  const { session, phase } = state;
  const reload = button(words.reload, () => flow.load());
  if (phase === "failed") {
    const { signInUrl } = context.options;
    const isSignedOut = state.error?.status === 401;
    const signIn = signInButton(signInUrl, context.words.form.signInLink, () => context.flow.signIn());
    return message("danger", reasonOf(view, state.error), isSignedOut ? signIn : reload);
  }
  const can = possible(state);
  const status = session?.status ?? context.options.sessionStatus;
  return html`<section class="result session" part="session" aria-labelledby="session-title" aria-busy=${phase === "loading"}>
    <div class="head">
      <h2 id="session-title" tabindex="-1" data-focus>${session?.title ?? words.untitled}</h2>
      ${status && phase !== "left" ? renderStatus(view, status) : nothing}
    </div>
    ${phase === "preparing" ? html`<p class="muted" role="status">${words.preparing}</p>` : nothing}
    ${state.notice && !state.dialog ? html`<p class="message" part="message">${state.notice}</p>` : nothing}
    ${state.error && !state.dialog ? renderError(view, state.error) : nothing}
    ${phase === "ready" && !roleOf(state)
      ? html`<div>${reload}</div>`
      : nothing}
    ${state.dialog ? nothing : renderWaiting(view)}
    ${session ? renderLoaded(view, session, can) : html`<span class="skeleton tall" aria-hidden="true"></span>`}
    <dialog part="dialog" aria-labelledby="dialog-title" @cancel=${() => flow.closeDialog()}>
      ${state.dialog ? renderDialog(view, state.dialog) : nothing}
    </dialog>
  </section>`;
}

function renderStatus({ words }: SessionView, status: string): TemplateResult {
  const label = (words.status as Record<string, string | undefined>)[status] ?? status;
  return html`<span class="status ${status}" part="status">${label}</span>`;
}

function renderLoaded(view: SessionView, session: Session, can: Possible): TemplateResult {
  const { context, state } = view;
  const hasActions = context.options.showSessionActions && state.phase === "ready";
  const proposal = session.proposal && view.flow.moving()?.renderProposal(movedOf(view));
  return html`${proposal ?? nothing} ${hasActions ? renderActions(view, session, can) : nothing} ${renderDetails(view, session)}
  ${renderReviews(view, hasActions)} ${renderHistory(view, session)}`;
}

function renderActions(view: SessionView, session: Session, can: Possible): Rendered {
  const { flow, words, state } = view;
  const later = can.startsLater && opensAt(session);
  const isOnline = session.location === null || session.location.kind === "online";
  const open = (dialog: DialogName) => () => flow.openDialog(dialog);
  const doing = state.doing !== null;
  const actionButton = (action: Action, label: string, click: () => unknown, isMain = false): TemplateResult =>
    html`<button
      part=${isMain ? "button primary" : "button"}
      class=${isMain ? "primary" : ""}
      data-action=${action}
      aria-disabled=${doing ? "true" : nothing}
      @click=${() => doing || click()}
    >
      ${state.doing === action && !state.dialog ? words.working : label}
    </button>`;
  const buttons = [
    can.join &&
      html`<a class="button primary" part="button primary" href=${can.join} target="_blank" rel="noopener noreferrer"
        >${words.join} <span class="visually-hidden">${words.newWindow}</span></a
      >`,
    can.start && actionButton("start", words.start, () => flow.start(), !can.join),
    can.complete && actionButton("complete", words.complete, open("complete"), !can.join),
    can.review && actionButton("review", words.review, open("review"), true),
    can.move && actionButton("move", words.move, open("move")),
    can.cancel && actionButton("cancel", words.cancel, open("cancel")),
    can.leave && actionButton("leave", words.leave, open("cancel")),
    can.noShow.length && actionButton("no-show", words.noShow, open("no-show")),
    can.cancelSeries && actionButton("series", words.cancelSeries, open("series")),
  ].filter(Boolean);
  const when = later ? (isOnline ? words.startAndJoinFrom : words.startFrom)(momentOf(view, later)) : "";
  if (!buttons.length && !when) return nothing;
  return html`<div class="actions">${buttons}</div>
    ${when ? html`<p class="muted">${when}</p>` : nothing}`;
}

function renderDetails(view: SessionView, session: Session): TemplateResult {
  const { words, state, locale, zone } = view;
  const { booking } = state;
  const role = roleOf(state);
  const others = role === "mentor" ? session.mentee?.name : session.mentor?.name;
  const parties = role === "operator" ? [session.mentor?.name, session.mentee?.name].filter(Boolean).join(", ") : others;
  const price = booking && (booking.bundlePurchaseId ? words.details.credit : moneyOf(view, booking.price));
  const { form, result } = view.context.words;
  /** A text that people wrote has the direction of its own language. */
  const written = (text: string | null): Rendered | null => (text ? html`<span class="written" dir="auto">${text}</span>` : null);
  const list = session.actionItems ?? [];
  return summary([
    [result.with, parties ?? (isGroup(state) && words.details.group)],
    [form.when, whenOf({ locale, state: { zone } }, session)],
    [form.where, renderPlace(view, session)],
    [form.price, price],
    [form.terms, termsOf(view, session)],
    [words.details.about, written(session.description)],
    ...(session.answers ?? []).map(({ label, value }): [string, Rendered | null] => [
      label,
      written(typeof value === "string" ? value : value ? words.details.yes : words.details.no),
    ]),
    [words.details.notes, written(session.notes)],
    [words.details.actionItems, list.length && html`<ul class="items">${list.map((item) => html`<li dir="auto">${item}</li>`)}</ul>`],
    [words.details.rating, session.rating && renderStars(view, session.rating)],
    [words.details.feedback, session.feedback && html`${written(session.feedback)}<span class="muted">${words.details.private}</span>`],
  ]);
}

function renderPlace({ words, context }: SessionView, session: Session): Rendered | string {
  const { location } = session;
  if (!location || location.kind === "online") return context.words.form.online;
  if (!location.value) return words.details.sharedOtherwise;
  if (location.kind === "phone") return html`<a href="tel:${location.value.replace(/[^\d+]/g, "")}">${location.value}</a>`;
  return isWebAddress(location.value) ? html`<a href=${location.value} rel="noopener">${location.value}</a>` : location.value;
}

function termsOf(view: SessionView, session: Session): string | null {
  const { words, state } = view;
  if (session.status !== "scheduled" || state.phase === "left" || roleOf(state) !== "mentee" || !state.quote) return null;
  if (!state.quote.allowed) return words.noCancelling;
  const { freeUntil, late, fee } = state.quote;
  if (isAlwaysFree(state.quote)) return view.context.words.form.alwaysFree;
  if (late) return fee.amount ? `${words.cancelling.fee}: ${moneyOf(view, fee)}` : words.cancelling.noFee;
  return freeUntil ? view.context.words.form.freeUntil(momentOf(view, Date.parse(freeUntil))) : null;
}

function renderReviews(view: SessionView, hasActions: boolean): Rendered {
  const { words, state } = view;
  const { reviews, permit } = state;
  if (permit) return html`<p class="muted">${words.reviewing.until(momentOf(view, Date.parse(permit.expiresAt)))}</p>`;
  return html`${reviews.map((review, at) => renderReview(view, review, `review-${at}`, hasActions))}`;
}

function renderReview(view: SessionView, review: Review, id: string, hasActions: boolean): TemplateResult {
  const { words, state, flow } = view;
  const { reviewing } = words;
  const isOne = state.reviews.length === 1;
  const title = roleOf(state) === "mentee" ? reviewing.yours : isOne ? reviewing.theirs : reviewing.by(review.reviewer);
  const mayAnswer = hasActions && review.answeredAt === null && roleOf(state) === "mentor";
  return html`<section class="review" aria-labelledby=${id}>
    <h3 id=${id}>${title}</h3>
    <p>${renderStars(view, review.rating)}</p>
    ${review.comment ? html`<p dir="auto">${review.comment}</p>` : nothing}
    ${review.answer ? html`<p class="muted">${reviewing.answer}: <bdi>${review.answer}</bdi></p>` : nothing}
    ${review.hidden ? html`<p class="muted">${reviewing.hidden(review.hiddenReason ?? "")}</p>` : nothing}
    ${mayAnswer
      ? html`<div class="actions">
          <button part="button" data-action="answer" aria-describedby=${id} @click=${() => flow.openDialog("answer", review)}>
            ${words.answer}
          </button>
        </div>`
      : nothing}
  </section>`;
}

function renderHistory(view: SessionView, session: Session): TemplateResult {
  return html`<details class="history" part="history">
    <summary>${view.words.history.title}</summary>
    <ol>
      ${historyOf(view.state).map(
        (entry) => html`<li>
          <b>${labelOf(view, session, entry.kind)}</b>
          <time datetime=${entry.at} class="muted">${momentOf(view, Date.parse(entry.at))}</time>
          ${entry.kind === "cancelled" ? renderCancellation(view, session) : nothing}
        </li>`,
      )}
    </ol>
  </details>`;
}

function labelOf(view: SessionView, session: Session, kind: HistoryEntry["kind"]): string {
  const { history, status } = view.words;
  if (kind !== "cancelled") return history[kind];
  const by = session.cancellation?.cancelledBy;
  if (!by) return status.cancelled;
  const name = by === "mentor" ? session.mentor?.name : by === "mentee" ? session.mentee?.name : undefined;
  if (session.cancellation?.type === "not_held") return history.notHeld;
  if (session.cancellation?.type === "no_show" && name) return history.noShow(name);
  if (by === roleOf(view.state)) return history.cancelled.you;
  if (by === "operator" || by === "system") return history.cancelled[by];
  return name ? history.cancelledBy(name) : status.cancelled;
}

function renderCancellation(view: SessionView, { cancellation }: Session): Rendered {
  if (!cancellation) return nothing;
  const { history } = view.words;
  const { reason, fee, refund, late } = cancellation;
  const facts = [
    fee?.amount ? `${history.fee(moneyOf(view, fee))}${late ? ` (${history.late})` : ""}` : null,
    refund?.amount ? history.refund(moneyOf(view, refund)) : null,
    creditText(view, cancellation),
    reason ? history.reason(reason) : null,
  ];
  return html`${facts.map((fact) => (fact ? html`<p class="muted">${fact}</p>` : nothing))}`;
}
