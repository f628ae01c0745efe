/** Lazy part "moving": another time for a session, at once or as a proposal, and the answer to one. */

import { html, nothing, type TemplateResult } from "lit";
import type { Listing, Mentor, Proposal, Session, Slot } from "../../api/types.js";
import { SlotsLoader } from "../../booking/calendar/loader.js";
import { renderCalendar } from "../../booking/calendar/view.js";
import type { BookingActions, MovedSession, MovingPart, PartContext, Rendered, View } from "../../booking/contracts.js";
import { initialState, type BookingState } from "../../booking/state.js";
import { Store, renderOn } from "../../core/store.js";
import { dayOf } from "../../i18n/time.js";
import { renderPartForm } from "../../ui/form.js";
import { button, focusedData, momentOf, summary } from "../../ui/view.js";
import { movingWords } from "./words.js";

const REASON_LENGTH = 1000;
/** Refusals of a time: the others are read again. */
const LOST_CODES = new Set(["slot_taken", "outside_hours", "too_soon", "beyond_horizon", "booking_limit"]);

type Calendar = Pick<
  BookingActions,
  "chooseDay" | "chooseSlot" | "chooseZone" | "findNext" | "reloadSlots" | "showMonth"
>;

export class Moving implements MovingPart {
  readonly #store: Store<BookingState>;
  readonly #slots: SlotsLoader;
  /** Of which session, at which time, the free times are. */
  #of = "";
  #calendar: Calendar;

  constructor(private readonly context: PartContext) {
    const { client, element, signal, store } = context;
    const { zone } = store.state;
    this.#store = new Store(initialState(zone, dayOf(Date.now(), zone)));
    this.#slots = new SlotsLoader(client, this.#store, signal);
    renderOn(element, signal, this.#store);
    this.#calendar = {
      chooseDay: (day) => this.#store.update({ day }),
      chooseSlot: (slot) => void this.#show(slot, "#move-reason"),
      chooseZone: (chosen) => this.#slots.chooseZone(chosen),
      findNext: () => void this.#slots.findNext(),
      reloadSlots: () => this.#slots.reload(),
      showMonth: (step) => this.#slots.showMonth(step),
    };
  }

  restart(): void {
    this.#of = "";
  }

  renderDialog(moved: MovedSession): TemplateResult {
    const { session, error } = moved;
    const words = this.#words;
    queueMicrotask(() => this.#open(moved));
    const { slot } = this.#store.state;
    const now: [string, unknown] = [words.now, this.#momentOf(session.startTime)];
    if (!slot) {
      return html`<div class="form">
        <h2 id="dialog-title">${words.title}</h2>
        ${summary([now])} ${error} ${renderCalendar(this.#view())}
        <div class="actions">${button(words.keep, () => moved.close())}</div>
      </div>`;
    }
    const isOwn = session.proposal?.proposedBy === moved.role;
    return renderPartForm({
      content: html`<h2 id="dialog-title">${words.title}</h2>
        ${summary([now, [words.to, html`<b>${this.#momentOf(slot.startTime)}</b>`]])}
        <p role="status">
          ${moved.isAtOnce ? words.atOnce : words.byAgreement} ${!moved.isAtOnce && isOwn ? words.replaces : nothing}
        </p>
        <div class="field">
          <label for="move-reason"
            >${words.reason} <span class="muted">(${this.context.words.form.optional})</span></label
          >
          <textarea
            id="move-reason"
            name="reason"
            rows="2"
            maxlength=${REASON_LENGTH}
            dir="auto"
            aria-describedby="move-reason-hint"
          ></textarea>
          <p class="muted" id="move-reason-hint">${words.reasonHint}</p>
        </div>
        ${error}`,
      confirm: moved.isBusy ? this.context.words.form.sending : moved.isAtOnce ? words.move : words.propose,
      isBusy: moved.isBusy,
      submit: (values) => this.#move(moved, slot, String(values.get("reason") ?? "").trim()),
      others: html`${button(words.other, () => this.#show(null, "[data-focus]"))}
      ${button(words.keep, () => moved.close())}`,
    });
  }

  renderProposal(moved: MovedSession): Rendered {
    const { session, role, isBusy } = moved;
    const { proposal } = session;
    if (!proposal || proposal.status !== "open") return nothing;
    const words = this.#words;
    const time = this.#momentOf(proposal.startTime);
    const isOwn = proposal.proposedBy === role;
    const isOver = Date.parse(proposal.expiresAt) <= this.context.client.now;
    const action = (step: "accept" | "decline" | "withdraw", done: string, isMain = false): TemplateResult =>
      html`<button
        type="button"
        part=${isMain ? "button primary" : "button"}
        class=${isMain ? "primary" : ""}
        data-action=${step}
        aria-disabled=${isBusy ? "true" : nothing}
        @click=${() => isBusy || moved.send(`proposals/${proposal.id}/${step}`, {}, done)}
      >
        ${words[step]}
      </button>`;
    return html`<div class="message" part="message proposal" role="status">
      <p>
        <b>${isOwn ? words.yours(time) : role === "operator" ? words.between(time) : words.theirs(nameOf(session, proposal) ?? words.party[proposal.proposedBy] ?? "", time)}</b>
        ${proposal.reason ? html`<br /><span dir="auto">${proposal.reason}</span>` : nothing}
        <br /><span class="muted">${isOver ? words.expired : words.until(this.#momentOf(proposal.expiresAt))}</span>
      </p>
      ${isOver || !moved.mayAct || role === "operator"
        ? nothing
        : html`<div class="actions">
            ${isOwn
              ? action("withdraw", words.withdrawn)
              : html`${action("accept", words.moved, true)} ${action("decline", words.declined)}`}
          </div>`}
    </div>`;
  }

  get #words(): ReturnType<typeof movingWords> {
    const { options, words } = this.context;
    return movingWords({ locale: options.locale, words });
  }

  #momentOf(time: string): string {
    return momentOf({ locale: this.context.options.locale, zone: this.#store.state.zone }, Date.parse(time));
  }

  /** The calendar of booking, by a state of its own. */
  #view(): View {
    const { options, words } = this.context;
    const { locale, signInUrl } = options;
    const flow = this.#calendar as BookingActions;
    const focusedDay = focusedData(this.context.element)["day"];
    const parts = { course: null, enhanced: null, realtime: null };
    return { state: this.#store.state, flow, words, locale, signInUrl, now: Date.now(), focusedDay, ...parts };
  }

  /** Reads the free times of a session's mentor, for its length, unless that is done. */
  #open({ session, booking }: MovedSession): void {
    const of = `${session.id} ${session.startTime}`;
    if (this.#of === of || !booking) return;
    this.#of = of;
    const mentor = { ...session.mentor, id: session.mentorProfileId } as Mentor;
    this.#store.update({
      phase: "ready",
      slot: null,
      offers: [{ mentor, listings: [] }],
      // The booking's own listing has the rules, although it may be offered no longer.
      listing: booking.listingId ? ({ id: booking.listingId } as Listing) : null,
      durationMinutes: booking.durationMinutes,
    });
    void this.#slots.restart();
  }

  /** The focus goes on with what replaces the view that had it. */
  async #show(slot: Slot | null, focus: string): Promise<void> {
    const { element } = this.context;
    this.#store.update({ slot });
    await element.updateComplete;
    element.shadowRoot?.querySelector<HTMLElement>(`dialog ${focus}`)?.focus();
  }

  async #move(moved: MovedSession, { startTime }: Slot, reason: string): Promise<void> {
    const words = this.#words;
    const body = { startTime, ...(reason && { reason }) };
    const refused = await moved.send("reschedule", body, moved.isAtOnce ? words.moved : words.proposed);
    if (!refused || !LOST_CODES.has(refused.code)) return;
    const { calendar } = this.#store.state;
    const slots = calendar.slots.filter((each) => each.startTime !== startTime);
    this.#store.update({ slot: null, calendar: { ...calendar, slots } });
    void this.#slots.reload();
  }
}

function nameOf(session: Session, { proposedBy }: Proposal): string | undefined {
  return proposedBy === "operator" ? undefined : session[proposedBy]?.name;
}
