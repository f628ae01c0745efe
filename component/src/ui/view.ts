/** The small pieces that several views show. */

import { html, nothing, type CSSResult, type LitElement, type TemplateResult } from "lit";
import type { Waiting } from "../api/client.js";
import type { ApiError } from "../api/errors.js";
import type { Money } from "../api/types.js";
import { formatMoney } from "../i18n/money.js";
import { formatMoment, formatSpan, formatZone } from "../i18n/time.js";
import { plural, type Plural, type Shown, type Words } from "../i18n/language.js";

export function count(view: Pick<Shown, "words">, number: number, forms: Plural): string {
  return plural(view.words.code, number, forms);
}

/** An amount, or "Free". */
export function priceOf({ words, locale }: Shown, price: Money): string {
  return price.amount === 0 ? words.card.free : formatMoney(price, locale);
}

/** A date and a time of day in the visitor's zone. */
export function momentOf({ locale, zone }: { locale: string; zone: string }, instant: number): string {
  return formatMoment(instant, locale, zone);
}

/** Of a session, a booking or a free time. */
interface Span {
  startTime: string;
  endTime: string;
}

/** When something is, with the zone, whose offset tells apart the hours that a day has twice. */
export function whenOf({ locale, state: { zone } }: { locale: string; state: { zone: string } }, { startTime, endTime }: Span): string {
  const start = Date.parse(startTime);
  return `${formatSpan(start, Date.parse(endTime), locale, zone)} · ${formatZone(zone, locale, start)}`;
}

/** A duration: "45 minutes", "1 hour", "90 minutes". */
export function durationOf(view: Pick<Shown, "words">, minutes: number): string {
  const { plurals } = view.words;
  return minutes % 60 ? count(view, minutes, plurals.minutes) : count(view, minutes / 60, plurals.hours);
}

/** Why something failed, for people: our own words where there are some, else the API's sentence, which is in English. */
export function explain(words: Words, error: ApiError): string {
  const code = error.code === "slot_taken" && error.details["mentee"] ? "mentee_busy" : error.code;
  const isRefusal = error.status > 0 && error.status < 500;
  return words.problems[code] ?? (isRefusal ? words.refused(error.message) : (words.problems["unexpected"] ?? ""));
}

/** A message that screen readers hear at once, with a way on. */
export function message(tone: "note" | "danger" | "warning", content: unknown, action: unknown = nothing): TemplateResult {
  return html`<div class="message ${tone}" part="message" role="alert"><p>${content}</p>${action}</div>`;
}

/** The mistakes in a field, which names them by `aria-describedby`. */
export function renderErrors(id: string, reasons: string[] | undefined): TemplateResult {
  return html`<p class="error" id=${id} role=${reasons ? "alert" : nothing}>${reasons?.join(" ") ?? nothing}</p>`;
}

export function button(label: string, onClick: () => unknown): TemplateResult {
  return html`<button type="button" part="button" @click=${onClick}>${label}</button>`;
}

/** An address that may stand in a link: of the web, or relative to the page; null of any other, which may run scripts. */
export function linkTo(address: string | null | undefined): string | null {
  const isOfWeb = address && URL.canParse(address, document.baseURI) && /^https?:/.test(new URL(address, document.baseURI).protocol);
  return isOfWeb ? address : null;
}

/** Names and what they stand for; rows without a value are left out. */
export function summary(rows: [string, unknown][]): TemplateResult {
  return html`<dl class="summary" part="summary">
    ${rows.map(([name, value]) => (value ? html`<div><dt>${name}</dt><dd>${value}</dd></div>` : nothing))}
  </dl>`;
}

/** Why something failed, with what support can find it by. */
export function failure(view: Pick<Shown, "words">, error: ApiError, action: unknown = nothing): TemplateResult {
  const hasReference = error.status >= 500 && error.requestId;
  const reference = hasReference ? html`<small>${view.words.reference(error.requestId ?? "")}</small>` : nothing;
  return message("danger", [explain(view.words, error), " ", reference], action);
}

/** The same, with the way on; a file that is gone comes with the page alone, since browsers keep failed imports. */
export function failureToRetry(view: Pick<Shown, "words">, error: ApiError, retry: () => unknown): TemplateResult {
  const again = (): unknown => (error.code === "part" ? location.reload() : retry());
  return failure(view, error, button(view.words.tryAgain, again));
}

/** Where people sign in: the page's address for it, or the event with which the page opens its own. */
export function signInButton(url: string | null, label: string, signIn: () => unknown): TemplateResult {
  return url
    ? html`<a class="button primary" part="button primary" href=${url}>${label}</a>`
    : html`<button type="button" class="primary" part="button primary" @click=${signIn}>${label}</button>`;
}

/** Asks people to sign in. */
export function signInMessage(
  { words, signInUrl, flow }: { words: Words; signInUrl: string | null; flow: { signIn(): void } },
  sentence = words.problems["unauthenticated"],
  label = words.form.signInLink,
): TemplateResult {
  return message("note", sentence, signInButton(signInUrl, label, () => flow.signIn()));
}

/** Why a request is not answered yet; the countdown itself is not read out. */
export function waitingMessage(view: { words: Words; now: number }, waiting: Waiting): TemplateResult {
  const seconds = Math.max(1, Math.ceil((waiting.until - view.now) / 1000));
  const { plurals, problems, retryIn } = view.words;
  const again = html`<span aria-live="off">${retryIn(count(view, seconds, plurals.seconds))}</span>`;
  return message("warning", [problems[waiting.reason], " ", again]);
}

/** Milliseconds as "4:59". */
export function clock(milliseconds: number): string {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** An arrow that turns with the direction of the text. */
export function arrow(path: string): TemplateResult {
  return html`<svg viewBox="0 0 24 24" aria-hidden="true"><path d=${path} /></svg>`;
}

export function valueOf(event: Event): string {
  return (event.target as HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement).value;
}

/** The `data-` attributes of what has the focus in an element. */
export function focusedData({ shadowRoot }: LitElement): DOMStringMap {
  return (shadowRoot?.activeElement as HTMLElement | null | undefined)?.dataset ?? {};
}

/** Gives an element the look of a part, until the signal. */
export function adoptStyles(element: LitElement, signal: AbortSignal, { styleSheet }: CSSResult): void {
  const root = element.renderRoot as ShadowRoot;
  if (!styleSheet) return;
  root.adoptedStyleSheets.push(styleSheet);
  signal.addEventListener("abort", () => {
    root.adoptedStyleSheets = root.adoptedStyleSheets.filter((each) => each !== styleSheet);
  });
}
