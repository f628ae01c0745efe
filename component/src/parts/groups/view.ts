/** Group sessions: a row each, with the visitor's actions. */

import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { ApiError } from "../../api/errors.js";
import type { GroupSession } from "../../api/types.js";
import { formatSpan, formatter } from "../../i18n/time.js";
import type { Rendered } from "../../booking/contracts.js";
import { creditText, moneyOf } from "../../ui/paid.js";
import { renderPartForm } from "../../ui/form.js";
import { count, explain, message, momentOf } from "../../ui/view.js";
import { standingOf, type GroupAction, type Groups, type Standing } from "./groups.js";
import type { ExtrasWords } from "../../i18n/enhanced/words.js";

const HOUR_MS = 3_600_000;

/** Given to the views of one group. */
interface GroupView {
  readonly groups: Groups;
  readonly group: GroupSession;
  readonly words: ExtrasWords;
  readonly locale: string;
  readonly zone: string;
}

/** Nothing to visitors, who may not read them, and where there are none. */
export function renderGroups(groups: Groups, locale: string): Rendered {
  groups.ask();
  const { groups: found, hasMore } = groups.store.state;
  if (!found?.length) return nothing;
  const words = groups.words();
  const { zone } = groups.context.store.state;
  return html`<section class="groups" part="groups" aria-labelledby="groups-title">
    <h3 id="groups-title">${words.groups.title}</h3>
    <ul>
      ${repeat(
        found,
        ({ id }) => id,
        (group) => renderGroup({ groups, group, words, locale, zone }),
      )}
    </ul>
    ${hasMore
      ? html`<div><button type="button" part="button" @click=${() => groups.showMore()}>${words.groups.more}</button></div>`
      : nothing}
  </section>`;
}

function renderGroup(view: GroupView): TemplateResult {
  const { groups, group, words, locale, zone } = view;
  const { failure, done } = groups.store.state;
  const standing = standingOf(group, groups.isOwn(group));
  const span = formatSpan(Date.parse(group.startTime), Date.parse(group.endTime), locale, zone);
  const facts = [group.mentor?.name, moneyOf({ words, locale }, group.price), placesOf(view, standing)];
  return html`<li class="group" data-group=${group.id} tabindex="-1" aria-label=${`${group.title ?? words.details.group}, ${span}`}>
    <b>${group.title ?? words.details.group}</b>
    <span>${span}</span>
    <span class="muted">${facts.filter(Boolean).join(" · ")}</span>
    ${done?.id === group.id ? html`<p class="message" part="message">${done.sentence}</p>` : nothing}
    ${renderChoice(view, standing, span)}
    ${failure?.id === group.id ? message("danger", reasonOf(view, failure.error)) : nothing}
  </li>`;
}

function placesOf({ groups, group, words }: GroupView, standing: Standing): string {
  const left = group.capacity - group.seatsTaken - group.seatsOffered;
  switch (standing) {
    case "joined":
      return words.groups.joined;
    case "unpaid":
    case "kept":
      return words.groups[standing];
    case "waiting":
      return words.groups.waiting(group.waitlistPosition ?? 0);
    default:
      return group.full ? words.groups.full : count(groups.context, left, words.plurals.places);
  }
}

/** Of another standing another template: what was open is closed then, and what it had is gone. */
function renderChoice(view: GroupView, standing: Standing, span: string): Rendered {
  const { groups, group, words } = view;
  const name = html`<span class="visually-hidden">(${span})</span>`;
  const look = (event: Event): void => {
    if ((event.target as HTMLDetailsElement).open) groups.look(group);
  };
  switch (standing) {
    case "joined":
      return html`<details class="leave" @toggle=${look}>
        <summary>${words.leave} ${name}</summary>
        ${renderLeave(view)}
      </details>`;
    case "unpaid":
      return renderUnpaid(view);
    case "kept":
      return html`<details class="kept" @toggle=${look}>
        <summary>${words.groups.takeKept} ${name}</summary>
        ${renderKept(view)}
      </details>`;
    case "waiting":
      return html`<details class="waiting">
        <summary>${words.groups.unwait} ${name}</summary>
        ${renderForm(view, "unwait", words.groups.unwait, () => groups.unwait(group), html`<p class="muted">${words.groups.unwaitHint}</p>`)}
      </details>`;
    case "full":
      return html`<details class="full">
        <summary>${words.groups.wait} ${name}</summary>
        ${renderForm(view, "wait", words.groups.wait, () => groups.wait(group), html`<p class="muted">${words.groups.waitHint}</p>`)}
      </details>`;
    case "open":
      return html`<details class="join">
        <summary>${words.groups.join} ${name}</summary>
        ${renderTaking(view, "join", words.groups.join, (bundleId) => groups.join(group, bundleId))}
      </details>`;
    default:
      return nothing;
  }
}

function renderUnpaid(view: GroupView): Rendered {
  const { groups, group, words, locale, zone } = view;
  const { paying } = groups.store.state;
  if (!paying || !group.payment) return nothing;
  const leave = renderAction(view, "leave", words.leave, () => groups.leave(group, null));
  return paying.render({ words: groups.context.words, locale, zone }, group.payment, leave);
}

function renderAction({ groups, group, words }: GroupView, action: GroupAction, label: string, click: () => unknown): TemplateResult {
  const { busy } = groups.store.state;
  return html`<button type="button" part="button" aria-disabled=${busy ? "true" : nothing} @click=${click}>
    ${busy?.id === group.id && busy.action === action ? words.working : label}
  </button>`;
}

function renderKept(view: GroupView): TemplateResult {
  const { groups, group, words, locale, zone } = view;
  const until = groups.store.state.keptUntil.get(group.id);
  return html`${until
      ? html`<p role="status">${words.groups.keptUntil(momentOf({ locale, zone }, Date.parse(until)))}</p>`
      : nothing}
    ${renderTaking(view, "accept", words.groups.takeKept, (bundleId) => groups.accept(group, bundleId))}
    <div class="actions">${renderAction(view, "unwait", words.groups.decline, () => groups.unwait(group))}</div>`;
}

/** The price and the terms of a place, and what pays for it. */
function renderTaking(
  view: GroupView,
  action: GroupAction,
  label: string,
  submit: (bundleId: string) => unknown,
): TemplateResult {
  const { groups, group, words, locale } = view;
  const price = moneyOf({ words, locale }, group.price);
  const bundles = groups.bundlesFor(group);
  const day = (instant: string): string => formatter(locale, { timeZone: view.zone, dateStyle: "medium" }).format(Date.parse(instant));
  const credits = bundles.map(({ id, remainingSessions, validTo }) => {
    const left = words.groups.byBundle(count(groups.context, remainingSessions, words.groups.credits));
    return { id, name: validTo ? `${left}, ${words.groups.validUntil(day(validTo))}` : left };
  });
  // In one list, so that the browser proposes the first: what is paid already.
  const options = [...credits, { id: "", name: price }];
  const confirm = bundles.length ? label : words.groups.labelFor(label, price);
  return renderForm(view, action, confirm, (values) => submit(String(values.get("bundle") ?? "")), html`
    <p class="muted">${termsOf(view, bundles.length > 0)}</p>
    ${renderAsked(view)}
    ${bundles.length
      ? html`<label class="field"
          ><span>${words.groups.payment}</span>
          <select name="bundle">
            ${options.map(({ id, name }) => html`<option value=${id}>${name}</option>`)}
          </select></label
        >`
      : nothing}
  `);
}

function renderAsked({ groups, group, locale }: GroupView): Rendered {
  const { form, fieldErrors } = groups.store.state;
  const answers = groups.store.state.answers.get(group.id) ?? {};
  const shown = form?.renderQuestions(
    { words: groups.context.words, locale },
    {
      questions: group.questions ?? [],
      answers,
      errors: fieldErrors?.id === group.id ? fieldErrors.errors : {},
      prefix: `answer-${group.id}`,
      answer: (id, value) => groups.answer(group, { ...answers, [id]: value }),
    },
  );
  return shown ?? nothing;
}

function termsOf({ group, words, locale, zone }: GroupView, hasBundles: boolean): string {
  const { groups } = words;
  const policy = group.cancellationPolicy;
  if (!policy) return groups.noLeaving;
  const isFree = !group.price.amount && !hasBundles;
  if (!policy.lateFeePercent || isFree) return groups.alwaysFree;
  const freeUntil = Date.parse(group.startTime) - policy.windowHours * HOUR_MS;
  const percent = new Intl.NumberFormat(locale, { style: "percent" }).format(policy.lateFeePercent / 100);
  const fee = freeUntil > Date.now()
    ? `${groups.freeUntil(momentOf({ locale, zone }, freeUntil))} ${groups.feeAfter(percent)}`
    : groups.lateFee(percent);
  return hasBundles ? `${fee} ${groups.lateCredit}` : fee;
}

function renderLeave(view: GroupView): Rendered {
  const { groups, group, words, locale } = view;
  const quote = groups.store.state.quotes.get(group.id);
  if (!quote) return html`<p role="status">${words.cancelling.loading}</p>`;
  if (!quote.allowed) return html`<p>${words.groups.noLeaving}</p>`;
  const { fee, refund } = quote;
  const costs = [
    `${fee.amount ? `${words.cancelling.fee}: ${moneyOf({ words, locale }, fee)}` : words.cancelling.noFee}.`,
    refund.amount ? `${words.cancelling.refund}: ${moneyOf({ words, locale }, refund)}.` : "",
    creditText(view, quote),
  ];
  const content = html`<p role="status">${costs.filter(Boolean).join(" ")}</p>`;
  return renderForm(view, "leave", words.cancelling.confirmLeave, () => groups.leave(group, quote), content);
}

function renderForm(
  { groups, group, words }: GroupView,
  action: GroupAction,
  label: string,
  submit: (values: FormData) => unknown,
  content: Rendered,
): TemplateResult {
  const { busy } = groups.store.state;
  const confirm = busy?.id === group.id && busy.action === action ? words.working : label;
  return renderPartForm({ content, confirm, isBusy: busy !== null, submit });
}

function reasonOf({ groups, words }: GroupView, error: ApiError): string {
  if (error.code === "page") return error.message;
  return words.groups.problems[error.code] ?? words.problems[error.code] ?? explain(groups.context.words, error);
}
