/** The dialogs: complete, cancel, review, cancel a series. Each is one form, whose fields keep what was entered. */

import { html, nothing, type TemplateResult } from "lit";
import type { CancellationType } from "../../api/types.js";
import type { Rendered } from "../../booking/contracts.js";
import { creditText, moneyOf } from "../../ui/paid.js";
import { renderPartForm, type PartForm } from "../../ui/form.js";
import { button, count, message, momentOf, renderErrors, summary } from "../../ui/view.js";
import { cancellationTypes, isAlwaysFree, isGroup, linesOf, noShowFee, possible, roleOf, type Absent, type DialogName } from "./state.js";
import { movedOf, renderError, renderWaiting, type SessionView } from "./pieces.js";

const MAX_TEXT_LENGTH = 5000;
const MAX_ITEMS = 50;
const MAX_ITEM_LENGTH = 500;
const REASON = { isOptional: false, rows: 2, maxLength: 1000 };
const RATINGS = [1, 2, 3, 4, 5];

export function renderDialog(view: SessionView, name: DialogName): TemplateResult {
  switch (name) {
    case "complete":
      return renderComplete(view);
    case "move":
      return view.flow.moving()?.renderDialog(movedOf(view)) ?? html`<p role="status">${view.context.words.loading}</p>`;
    case "cancel":
      return renderCancel(view);
    case "review":
      return renderReview(view);
    case "answer":
      return renderAnswer(view);
    case "no-show":
      return renderNoShow(view);
    case "series":
      return renderSeries(view);
  }
}

interface DialogForm extends Pick<PartForm, "content" | "confirm" | "submit"> {
  title: string;
  /** The label of the button that closes the dialog. */
  keep: string;
}

function renderForm(view: SessionView, { title, content, confirm, keep, submit }: DialogForm): TemplateResult {
  const { state, words, flow } = view;
  const isBusy = state.doing !== null;
  return renderPartForm({
    content: html`<h2 id="dialog-title">${title}</h2>
      ${state.notice ? message("warning", state.notice) : nothing} ${content} ${renderWaiting(view)}
      ${state.error ? renderError(view, state.error) : nothing}`,
    confirm: confirm && isBusy ? words.working : confirm,
    isBusy,
    submit,
    others: button(keep, () => flow.closeDialog()),
  });
}

function renderComplete(view: SessionView): TemplateResult {
  const { words, flow } = view;
  const { form } = words;
  const optional = { isOptional: true, rows: 3, maxLength: MAX_TEXT_LENGTH };
  return renderForm(view, {
    title: words.complete,
    content: html`${renderText(view, "notes", form.notes, { ...optional, hint: form.notesHint })}
    ${renderText(view, "actionItems", form.actionItems, { ...optional, hint: form.actionItemsHint, maxLength: 26_000 })}
    ${renderRating(view, form.rating, true)}
    ${renderText(view, "feedback", form.feedback, { ...optional, hint: form.feedbackHint })}`,
    confirm: words.complete,
    keep: form.keep,
    submit: (values) => {
      const [notes, feedback] = [textOf(values, "notes"), textOf(values, "feedback")];
      const [rating, items] = [Number(values.get("rating")), linesOf(textOf(values, "actionItems"))];
      const tooLong = items.findIndex((item) => item.length > MAX_ITEM_LENGTH) + 1;
      if (tooLong) return flow.refuse("actionItems", form.itemTooLong(tooLong, MAX_ITEM_LENGTH));
      if (items.length > MAX_ITEMS) return flow.refuse("actionItems", form.tooManyItems(MAX_ITEMS));
      return flow.complete({
        ...(notes && { notes }),
        ...(rating && { rating }),
        ...(feedback && { feedback }),
        ...(items.length && { actionItems: items }),
      });
    },
  });
}

function renderCancel(view: SessionView): TemplateResult {
  const { words, state, flow } = view;
  const { cancelling } = words;
  const { quote } = state;
  const isLeave = roleOf(state) === "mentee" && isGroup(state);
  const options = {
    title: isLeave ? cancelling.leaveTitle : cancelling.title,
    keep: cancelling.keep,
    submit: (values: FormData) => flow.cancel(textOf(values, "reason"), values.has("refund"), typeOf(values)),
  };
  if (!quote) {
    return renderForm(view, { ...options, content: html`<p role="status">${cancelling.loading}</p>`, confirm: null });
  }
  if (!quote.allowed) {
    const why = quote.policy ? cancelling.closed : words.noCancelling;
    return renderForm(view, { ...options, content: html`<p>${why}</p>`, confirm: null });
  }
  const confirm = quote.fee.amount ? cancelling.confirmFee(moneyOf(view, quote.fee)) : cancelling.confirm;
  return renderForm(view, {
    ...options,
    content: html`<div aria-live="polite">
        ${summary([
          [cancelling.fee, quote.fee.amount ? moneyOf(view, quote.fee) : cancelling.noFee],
          [cancelling.refund, quote.refund.amount && moneyOf(view, quote.refund)],
        ])}
      </div>
      ${quote.freeUntil && !quote.late && !isAlwaysFree(quote)
        ? html`<p class="muted">${view.context.words.form.freeUntil(momentOf(view, Date.parse(quote.freeUntil)))}</p>`
        : nothing}
      ${quote.creditReturned === null ? nothing : html`<p>${creditText(view, quote)}</p>`}
      ${quote.cancelledBy !== "mentee" && quote.refund.amount
        ? html`<p class="muted">${isGroup(state) ? cancelling.refundToAll : cancelling.refundToMentee}</p>`
        : nothing}
      ${isLeave
        ? renderText(view, "reason", cancelling.reason, { ...REASON, hint: cancelling.leaveHint, isOptional: true })
        : renderReason(view)}
      ${quote.cancelledBy === "mentee" && !isLeave && quote.refund.amount
        ? renderRefund(cancelling.wantRefund(moneyOf(view, quote.refund)))
        : nothing}`,
    confirm: isLeave && !quote.fee.amount ? cancelling.confirmLeave : confirm,
  });
}

function renderSeries(view: SessionView): TemplateResult {
  const { words, state, flow } = view;
  const { series, cancelling } = words;
  const { plan } = state;
  const options = {
    title: series.cancelTitle,
    keep: series.keep,
    submit: (values: FormData) => flow.cancelSeries(textOf(values, "reason"), values.has("refund"), typeOf(values)),
  };
  if (!plan) {
    const content = state.error ? nothing : html`<p role="status">${cancelling.loading}</p>`;
    return renderForm(view, { ...options, content, confirm: null });
  }
  if (!plan.items.length) {
    return renderForm(view, { ...options, content: html`<p>${series.nothing}</p>`, confirm: null });
  }
  const isMentee = roleOf(state) === "mentee";
  const refund = plan.refund?.amount ? moneyOf(view, plan.refund) : null;
  return renderForm(view, {
    ...options,
    content: html`<p>${series.affected(count(view.context, plan.items.length, words.plurals.dates))}</p>
      <ul class="dates" tabindex="0" aria-label=${series.dates}>
        ${plan.items.map(
          ({ startTime, isDraft }) =>
            html`<li>${momentOf(view, Date.parse(startTime))} ${isDraft ? html`<small>(${series.draft})</small>` : nothing}</li>`,
        )}
      </ul>
      ${summary([
        [cancelling.fee, plan.fee?.amount ? moneyOf(view, plan.fee) : cancelling.noFee],
        [cancelling.refund, refund],
      ])}
      ${plan.credits ? html`<p>${count(view.context, plan.credits, words.plurals.credits)}</p>` : nothing} ${renderReason(view)}
      ${isMentee && refund ? renderRefund(cancelling.wantRefund(refund)) : nothing}`,
    confirm: series.confirm,
  });
}

function renderReview(view: SessionView): TemplateResult {
  const { words, state, flow } = view;
  const { reviewing } = words;
  return renderForm(view, {
    title: reviewing.title(state.session?.mentor?.name ?? ""),
    content: html`${renderRating(view, reviewing.rating, false)}
    ${renderText(view, "comment", reviewing.comment, {
      hint: reviewing.commentHint,
      isOptional: true,
      rows: 4,
      maxLength: MAX_TEXT_LENGTH,
    })}`,
    confirm: reviewing.send,
    keep: words.form.keep,
    submit: (values) => flow.review(Number(values.get("rating")) || null, textOf(values, "comment")),
  });
}

function renderAnswer(view: SessionView): TemplateResult {
  const { words, state, flow } = view;
  const { reviewing } = words;
  return renderForm(view, {
    title: reviewing.answerTitle,
    content: html`${state.answering?.comment ? html`<blockquote dir="auto">${state.answering.comment}</blockquote>` : nothing}
    ${renderText(view, "answer", reviewing.answer, {
      hint: reviewing.answerHint,
      isOptional: false,
      rows: 4,
      maxLength: MAX_TEXT_LENGTH,
    })}`,
    confirm: reviewing.sendAnswer,
    keep: words.form.keep,
    submit: (values) => flow.answer(textOf(values, "answer")),
  });
}

function renderNoShow(view: SessionView): TemplateResult {
  const { words, state, flow } = view;
  const { absence } = words;
  const { noShow } = possible(state);
  const nameOf = (who: Absent): string => state.session?.[who]?.name ?? absence[who];
  const isOne = noShow.length === 1;
  const [only] = noShow;
  return renderForm(view, {
    title: only && isOne ? absence.title(nameOf(only)) : absence.titleEither,
    content: isOne
      ? html`<p>${absence.cancels} ${consequenceOf(view, only as Absent, nameOf)}</p>`
      : html`<p>${absence.cancels}</p>
          <fieldset class="fields">
            <legend class="visually-hidden">${absence.titleEither}</legend>
            ${noShow.map(
              (who) =>
                html`<label class="check"
                  ><input type="radio" name="who" value=${who} aria-invalid=${state.fieldErrors["who"] ? "true" : nothing} />
                  <span>${nameOf(who)}<br /><small class="muted">${consequenceOf(view, who, nameOf)}</small></span></label
                >`,
            )}
            ${renderErrors("who-error", state.fieldErrors["who"])}
          </fieldset>`,
    confirm: noShow.length ? absence.confirm : null,
    keep: words.form.keep,
    submit: (values) => {
      const who = (isOne ? only : values.get("who")) as Absent | null;
      return who ? flow.reportNoShow(who) : flow.refuse("who", absence.titleEither);
    },
  });
}

/** The consequence for a party that did not come. */
function consequenceOf(view: SessionView, who: Absent, nameOf: (who: Absent) => string): string {
  const { absence, cancelling } = view.words;
  if (who === "mentor") return isGroup(view.state) ? cancelling.refundToAll : absence.refundAll;
  const cost = noShowFee(view.state);
  if (!cost) return "";
  if (view.state.booking?.bundlePurchaseId) return cost.percent ? cancelling.creditSpent : absence.owesNothing;
  return cost.fee.amount ? absence.owes(nameOf(who), moneyOf(view, cost.fee)) : absence.owesNothing;
}

function renderReason(view: SessionView): TemplateResult {
  const { reason, reasonHint, type, types } = view.words.cancelling;
  const known = cancellationTypes(roleOf(view.state));
  return html`${known.length
    ? html`<div class="field">
        <label for="type">${type}</label>
        <select id="type" name="type">
          ${known.map((each) => html`<option value=${each}>${types[each]}</option>`)}
        </select>
      </div>`
    : nothing}
  ${renderText(view, "reason", reason, { ...REASON, hint: reasonHint })}`;
}

function renderRefund(label: string): TemplateResult {
  return html`<label class="check"><input type="checkbox" name="refund" checked /> ${label}</label>`;
}

interface TextOptions {
  hint: string;
  isOptional: boolean;
  rows: number;
  maxLength: number;
}

function renderText(view: SessionView, name: string, label: string, options: TextOptions): TemplateResult {
  const { state } = view;
  const { optional } = view.context.words.form;
  const reasons = state.fieldErrors[name];
  return html`<div class="field">
    <label for=${name}>${label} ${options.isOptional ? html`<span class="muted">(${optional})</span>` : nothing}</label>
    <textarea
      id=${name}
      name=${name}
      rows=${options.rows}
      maxlength=${options.maxLength}
      dir="auto"
      ?required=${!options.isOptional}
      ?readonly=${state.doing !== null}
      aria-invalid=${reasons ? "true" : "false"}
      aria-describedby="${name}-hint ${name}-error"
    ></textarea>
    <p class="muted" id="${name}-hint">${options.hint}</p>
    ${renderErrors(`${name}-error`, reasons)}
  </div>`;
}

function renderRating(view: SessionView, label: string, isOptional: boolean): TemplateResult {
  const { words, state } = view;
  const reasons = state.fieldErrors["rating"];
  const choice = (value: number, content: Rendered | string, name: string): TemplateResult =>
    html`<label><input type="radio" name="rating" value=${value || ""} ?checked=${!value}
      aria-label=${name} aria-invalid=${reasons && value === 1 ? "true" : nothing} /><span aria-hidden="true">${content}</span></label>`;
  return html`<fieldset class="rating" aria-describedby="rating-error">
    <legend>${label} ${isOptional ? html`<span class="muted">(${view.context.words.form.optional})</span>` : nothing}</legend>
    <div>
      ${RATINGS.map((value) => choice(value, html`${value} ★`, `${value} – ${words.form.stars(value)}`))}
      ${isOptional ? choice(0, words.form.noRating, words.form.noRating) : nothing}
    </div>
    ${renderErrors("rating-error", reasons)}
  </fieldset>`;
}

function typeOf(values: FormData): CancellationType | undefined {
  return (values.get("type") as CancellationType | null) ?? undefined;
}

function textOf(values: FormData, name: string): string {
  return String(values.get(name) ?? "").trim();
}
