/** The way to the payment page: what is due until when, and the look at what has become of it after the return. */

import { html, nothing, type TemplateResult } from "lit";
import { newKey } from "../../api/client.js";
import { ApiError } from "../../api/errors.js";
import type { Payment } from "../../api/types.js";
import type { FlowContext, PayingPart, Rendered } from "../../booking/contracts.js";
import { Store } from "../../core/store.js";
import { whenShown } from "../../core/work.js";
import type { Shown } from "../../i18n/language.js";
import { clock, failure, linkTo, message, momentOf, priceOf } from "../../ui/view.js";
import { followingWords } from "./words.js";

const TICK_MS = 1_000;
/** While it is shown, the payment is looked at after so many ticks. */
const TICKS_BETWEEN_LOOKS = 10;
/** A page that is left is gone by then; else it stays, and people may try again. */
const LEAVING_MS = 10_000;
/** From then on, screen readers hear that little time is left. */
const LAST_MINUTE_MS = 60_000;

interface PayingState {
  /** The payment page is being opened. */
  isLeaving: boolean;
  error: ApiError | null;
  now: number;
}

export class Paying implements PayingPart {
  readonly store = new Store<PayingState>({ isLeaving: false, error: null, now: Date.now() });
  #timer: ReturnType<typeof setTimeout> | undefined;
  #ticks = 0;

  constructor(
    private readonly context: FlowContext,
    /** Reads what waits for the payment. */
    private readonly look: () => unknown,
  ) {
    const { signal } = context;
    const returned = (): void => {
      this.store.update({ isLeaving: false });
      // Nothing is shown that waits.
      if (this.#timer !== undefined) this.look();
    };
    whenShown(signal, returned);
    // The way back from the payment page may find this page as it was left.
    addEventListener("pageshow", returned, { signal });
    signal.addEventListener("abort", () => clearTimeout(this.#timer));
  }

  /** @param others stand beside the button. */
  render(view: Shown & { zone: string }, payment: Payment, others: unknown = nothing): TemplateResult {
    this.#tickLater();
    const words = followingWords(view);
    const { isLeaving, error } = this.store.state;
    const dueAt = Date.parse(payment.dueAt);
    const left = dueAt - this.context.client.now;
    const amount = priceOf(view, payment.amount);
    const isHandled = error?.code === "no_payment_provider";
    const pay = html`<button
      type="button"
      class="primary"
      part="button primary"
      data-action="pay"
      aria-disabled=${isLeaving ? "true" : nothing}
      @click=${() => void this.pay(payment)}
    >
      ${isLeaving ? html`<span class="spinner" aria-hidden="true"></span> ${view.words.form.sending}` : words.pay(amount)}
    </button>`;
    return html`${left > 0
        ? html`<p>${words.payUntil(amount, momentOf(view, dueAt))}</p>
            <p class="hold" role="timer">${words.timeLeft(clock(left))}</p>`
        : html`<p role="status">${words.checking}</p>`}
      <p class="visually-hidden" role="status">${left > 0 && left <= LAST_MINUTE_MS ? words.lastMinute : nothing}</p>
      ${this.#renderError(view)}
      <div class="actions">${left > 0 && !isHandled ? pay : nothing} ${others}</div>`;
  }

  #renderError(view: Shown): Rendered {
    const { error } = this.store.state;
    if (!error) return nothing;
    const words = followingWords(view);
    if (error.code === "no_payment_provider") return message("note", words.payElsewhere);
    return error.code === "page" ? message("danger", error.message || words.notOpened) : failure(view, error);
  }

  /** Opens the payment page: by the page's own call or address, or else that of the API's provider. */
  async pay(payment: Payment): Promise<void> {
    if (this.store.state.isLeaving) return;
    this.store.update({ isLeaving: true, error: null });
    const { onPay, payUrl } = this.context.options;
    try {
      if (onPay) {
        await onPay(payment);
        this.store.update({ isLeaving: false });
        this.look();
        return;
      }
      const address = linkTo(payUrl ? addressOf(payUrl, payment) : await this.#checkoutOf(payment));
      if (!address) throw ApiError.ofPage("");
      location.assign(address);
      setTimeout(() => this.store.update({ isLeaving: false }), LEAVING_MS);
    } catch (error) {
      if (this.context.signal.aborted) return;
      const failed = ApiError.ofPage(error);
      this.store.update({ isLeaving: false, error: failed });
      // Paid or lapsed meanwhile.
      if (failed.code === "invalid_transition") this.look();
    }
  }

  /** The API gives the same address again, as long as that is valid. */
  async #checkoutOf({ id }: Payment): Promise<string> {
    const back = { successUrl: location.href, cancelUrl: location.href };
    const options = { key: newKey(), signal: this.context.signal };
    return (await this.context.client.post<{ url: string }>(`/payments/${id}/checkout`, back, options)).url;
  }

  /** As long as it is rendered, it counts down, and looks now and then. */
  #tickLater(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (++this.#ticks % TICKS_BETWEEN_LOOKS === 0 && !document.hidden) this.look();
      this.store.update({ now: Date.now() });
    }, TICK_MS);
  }
}

/** The page's own address, which gets the payment's id. */
function addressOf(payUrl: string, { id }: Payment): string {
  const address = new URL(payUrl, document.baseURI);
  address.searchParams.set("payment", id);
  return address.href;
}
