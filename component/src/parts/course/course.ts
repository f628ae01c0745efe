/** Lazy part "course": what a course needs besides a mentor: who teaches it, and what pays for it. */

import { html, nothing, type TemplateResult } from "lit";
import type { Client, RequestOptions } from "../../api/client.js";
import type { Bundle, Listing, Mentor, SupportOptions } from "../../api/types.js";
import { allOf, offerOf } from "../../booking/offers.js";
import { keyOf, type BookingState, type Offer, type PaymentChoice } from "../../booking/state.js";
import type { FlowContext, Options, Rendered, View } from "../../booking/contracts.js";
import { count, durationOf, message, priceOf, valueOf } from "../../ui/view.js";
import { courseWords } from "./words.js";

export { courseWords };

/**
 * The course that the element's attributes name, with all who teach it, or only the named mentor.
 *
 * @throws ApiError there is none.
 */
export async function loadCourse(
  client: Client,
  options: Options,
  signal: AbortSignal,
): Promise<Pick<BookingState, "course" | "offers" | "products">> {
  const open: RequestOptions = { open: true, signal };
  const { mentorId } = options;
  const courseId = options.courseId ?? "";
  const [{ course, products }, mentors, listings] = await Promise.all([
    client.get<SupportOptions>(`/courses/${courseId}/support-options`, {}, open),
    allOf<Mentor>(client, "/mentors", { courseId }, open),
    allOf<Listing>(client, "/listings", { courseId }, open),
  ]);
  const offers = mentors.map((mentor) => offerOf(mentor, listings));
  const wanted = offers.filter(({ mentor }) => !mentorId || mentor.id === mentorId);
  return { course, products: products.filter((product) => product.active), offers: wanted };
}

/** The durations in which a course can be booked, the shortest first. */
export function durationsOf(offers: readonly Offer[]): number[] {
  const all = offers.flatMap((offer) => offer.listings.map((listing) => listing.durationMinutes));
  return [...new Set(all)].sort((one, other) => one - other);
}

/** Looks up the person's bundles, and chooses what pays: what is named, or was chosen before; credits at first. */
export async function proposePayment(
  { client, store }: Pick<FlowContext, "client" | "store">,
  key: string | null,
  signal: AbortSignal,
): Promise<void> {
  if (!store.state.payment) store.update({ bundles: null });
  const own = await allOf<Bundle>(client, "/bundles", {}, { signal }).catch(() => []);
  const bundles = own.filter(({ courseId, status }) => courseId === store.state.course?.id && status === "active");
  store.update({ bundles });
  const payments = paymentsFor(store.state);
  const wanted = key ?? keyOf(store.state.payment);
  store.update({ payment: payments.find((each) => keyOf(each) === wanted) ?? payments[0] ?? null });
}

/** Payments for a session of a duration: credits first, since they are paid already. */
function paymentsFor(state: BookingState): PaymentChoice[] {
  const fits = (durationMinutes: number | null): boolean =>
    durationMinutes === null || durationMinutes === state.durationMinutes;
  const bundles = (state.bundles ?? []).filter((bundle) => {
    const product = state.products.find((each) => each.id === bundle.productId);
    return !product || fits(product.durationMinutes);
  });
  const products = state.products.filter((product) => product.kind === "single" && fits(product.durationMinutes));
  return [
    ...bundles.map((bundle): PaymentChoice => ({ kind: "bundle", bundle })),
    ...products.map((product): PaymentChoice => ({ kind: "product", product })),
  ];
}

/** The fields of a request that name the course and the payment. */
export function paymentOf({ course, payment }: BookingState): object {
  const paid = payment?.kind === "bundle" ? { bundlePurchaseId: payment.bundle.id } : { productId: payment?.product.id };
  return { courseId: course?.id, ...paid };
}

/** The price in sessions of a bundle. */
export function creditsText(view: View, sessions: number): string {
  return count(view, sessions, courseWords(view).byCredits);
}

/** The choice of a duration and of a mentor, above the calendar. */
export function renderChoice(view: View): TemplateResult {
  const { words, state, flow } = view;
  const own = courseWords(view);
  const durations = durationsOf(state.offers);
  return html`<div class="columns" ?hidden=${state.slot !== null}>
    ${durations.length > 1
      ? html`<label class="field"
          ><span>${own.duration}</span>
          <select data-value=${state.durationMinutes} @change=${(event: Event) => flow.chooseDuration(Number(valueOf(event)))}>
            ${durations.map(
              (minutes) =>
                html`<option value=${minutes}>
                  ${durationOf(view, minutes)}
                </option>`,
            )}
          </select></label
        >`
      : nothing}
    ${state.offers.length > 1
      ? html`<label class="field"
          ><span>${words.card.coach}</span>
          <select data-value=${state.mentorId ?? ""} @change=${(event: Event) => flow.chooseMentor(valueOf(event) || null)}>
            <option value="">${own.anyCoach}</option>
            ${state.offers.map(
              ({ mentor }) =>
                html`<option value=${mentor.id}>${mentor.name}</option>`,
            )}
          </select></label
        >`
      : nothing}
  </div>`;
}

/** The fields of the form: with whom, and what pays. */
export function renderFields(view: View): TemplateResult {
  return html`${renderMentors(view)} ${renderPayments(view)}`;
}

function renderMentors({ words, state, flow }: View): Rendered {
  const free = state.offers.filter(({ mentor }) => state.slot?.mentorProfileIds.includes(mentor.id));
  if (free.length < 2) return nothing;
  return html`<label class="field"
    ><span>${words.card.coach}</span>
    <select data-value=${state.slotMentorId} @change=${(event: Event) => flow.chooseSlotMentor(valueOf(event))}>
      ${free.map(
        ({ mentor }) =>
          html`<option value=${mentor.id}>${mentor.name}</option>`,
      )}
    </select></label
  >`;
}

function renderPayments(view: View): Rendered {
  const { words, state, flow } = view;
  if (!state.bundles) return html`<p class="muted" role="status">${words.loading}</p>`;
  const own = courseWords(view);
  const payments = paymentsFor(state);
  if (!payments.length) return message("warning", own.noPayment);
  if (payments.length === 1) return nothing;
  return html`<fieldset class="offers">
    <legend>${own.payment}</legend>
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

function renderPayment(view: View, payment: PaymentChoice): TemplateResult {
  const { state } = view;
  const own = courseWords(view);
  if (payment.kind === "product") {
    return html`<span><b>${payment.product.title}</b></span><b class="price">${priceOf(view, payment.product.price)}</b>`;
  }
  const { productId, remainingSessions } = payment.bundle;
  const title = state.products.find((product) => product.id === productId)?.title ?? own.bundle;
  return html`<span>${own.credit(title, count(view, remainingSessions, own.credits))}</span>`;
}
