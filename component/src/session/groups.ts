/** Group sessions of a course or a mentor: who has a place, take one, give it up with its cost shown first. */

import { html, nothing, type TemplateResult } from "lit";
import type { ApiError } from "../api/errors.js";
import type { Bundle, CancellationQuote, GroupSession, Page, Session } from "../api/types.js";
import { formatSpan } from "../format/time.js";
import type { PartContext, Rendered } from "../parts.js";
import { Store } from "../state/store.js";
import { explain } from "../view.js";
import { Keys, asApiError, countOf, moneyOf, momentOf } from "./common.js";
import type { SessionWords } from "./text/index.js";

const HOUR_MS = 3_600_000;
const SHOWN_GROUPS = 20;

interface GroupsState {
  /** Null until they are read; empty where there are none. */
  groups: GroupSession[] | null;
  /** The visitor's own. */
  bundles: Bundle[];
  /** What it costs to give up a place, by the group's id. */
  quotes: ReadonlyMap<string, CancellationQuote>;
  /** The group that is being joined or left. */
  busyId: string | null;
  failure: { id: string; error: ApiError } | null;
}

export class Groups {
  readonly store = new Store<GroupsState>({ groups: null, bundles: [], quotes: new Map(), busyId: null, failure: null });
  readonly #run = new AbortController();
  readonly #keys = new Keys();
  #isAsked = false;

  constructor(
    readonly context: PartContext,
    private readonly words: () => SessionWords,
  ) {}

  dispose(): void {
    this.#run.abort();
  }

  /** Nothing to visitors, who may not read them, and where there are none. */
  render(locale: string): Rendered {
    if (!this.#isAsked && this.context.client.tokens.canSignIn) {
      this.#isAsked = true;
      queueMicrotask(() => void this.#load().catch(() => undefined));
    }
    const { groups } = this.store.state;
    if (!groups?.length) return nothing;
    return html`<section class="groups" part="groups" aria-labelledby="groups-title">
      <h3 id="groups-title">${this.words().groups.title}</h3>
      <ul>
        ${groups.map((group) => this.#renderGroup(group, locale))}
      </ul>
    </section>`;
  }

  #renderGroup(group: GroupSession, locale: string): TemplateResult {
    const words = this.words();
    const { zone } = this.context.store.state;
    const { failure } = this.store.state;
    const left = group.capacity - group.seatsTaken - group.seatsOffered;
    const places = group.joined
      ? words.groups.joined
      : group.full
        ? words.groups.full
        : countOf(this, left, words.plurals.places);
    const span = formatSpan(Date.parse(group.startTime), Date.parse(group.endTime), locale, zone);
    const label = group.joined ? words.leave : words.groups.join;
    return html`<li class="group">
      <b>${group.title ?? words.details.group}</b>
      <span>${span}</span>
      <span class="muted">${[group.mentor?.name, moneyOf({ words, locale }, group.price), places].filter(Boolean).join(" · ")}</span>
      ${group.full && !group.joined
        ? nothing
        : html`<details @toggle=${(event: Event) => this.#toggled(event, group)}>
            <summary>${label} <span class="visually-hidden">(${span})</span></summary>
            ${group.joined ? this.#renderLeave(group, locale) : this.#renderJoin(group, locale)}
          </details>`}
      ${failure?.id === group.id
        ? html`<p class="message danger" part="message" role="alert">${this.#reasonOf(failure.error)}</p>`
        : nothing}
    </li>`;
  }

  #renderJoin(group: GroupSession, locale: string): TemplateResult {
    const words = this.words();
    const terms = this.#termsOf(group, locale);
    const bundles = this.store.state.bundles.filter((bundle) => bundle.courseId === group.courseId);
    return this.#form(group, words.groups.joinFor(moneyOf({ words, locale }, group.price)), (values) => this.#join(group, values), html`
      <p class="muted">${terms}</p>
      ${bundles.length
        ? html`<label class="field"
            ><span>${words.groups.payment}</span>
            <select name="bundle">
              ${bundles.map(
                ({ id, remainingSessions }) =>
                  html`<option value=${id}>
                    ${words.groups.byBundle(countOf(this, remainingSessions, words.groups.credits))}
                  </option>`,
              )}
              <option value="">${moneyOf({ words, locale }, group.price)}</option>
            </select></label
          >`
        : nothing}
    `);
  }

  #termsOf(group: GroupSession, locale: string): string {
    const { groups } = this.words();
    const policy = group.cancellationPolicy;
    if (!policy) return groups.noLeaving;
    const freeUntil = Date.parse(group.startTime) - policy.windowHours * HOUR_MS;
    const { zone } = this.context.store.state;
    if (freeUntil > Date.now()) return groups.freeUntil(momentOf({ locale, zone }, freeUntil));
    return groups.lateFee(new Intl.NumberFormat(locale, { style: "percent" }).format(policy.lateFeePercent / 100));
  }

  #renderLeave(group: GroupSession, locale: string): Rendered {
    const words = this.words();
    const quote = this.store.state.quotes.get(group.id);
    if (!quote) return html`<p role="status">${words.cancelling.loading}</p>`;
    if (!quote.allowed) return html`<p>${words.groups.noLeaving}</p>`;
    const { fee, creditReturned } = quote;
    const costs = fee.amount ? `${words.cancelling.fee}: ${moneyOf({ words, locale }, fee)}` : words.cancelling.noFee;
    const credit = creditReturned ? words.cancelling.creditBack : words.cancelling.creditSpent;
    return this.#form(group, words.cancelling.confirmLeave, () => this.#leave(group, quote), html`
      <p role="status">${costs}. ${creditReturned === null ? nothing : credit}</p>
    `);
  }

  #form(group: GroupSession, confirm: string, submit: (values: FormData) => unknown, content: Rendered): TemplateResult {
    const isBusy = this.store.state.busyId !== null;
    const send = (event: SubmitEvent): void => {
      event.preventDefault();
      if (!isBusy) void submit(new FormData(event.target as HTMLFormElement));
    };
    return html`<form class="form" aria-busy=${isBusy ? "true" : "false"} @submit=${send}>
      ${content}
      <div class="actions">
        <button class="primary" part="button primary" aria-disabled=${isBusy ? "true" : nothing}>
          ${this.store.state.busyId === group.id ? this.words().working : confirm}
        </button>
      </div>
    </form>`;
  }

  async #load(): Promise<void> {
    const { client, options, store } = this.context;
    const { signal } = this.#run;
    const { course, offers } = store.state;
    // A listing alone names its mentor, too.
    const mentorProfileId = options.mentorId ?? (course ? null : offers[0]?.mentor.id);
    const query = { courseId: options.courseId, mentorProfileId, limit: SHOWN_GROUPS };
    const page = await client.get<Page<GroupSession>>("/group-sessions", query, { signal });
    const groups = page.items.filter((group) => !group.cancelledAt);
    this.store.update({ groups });
    if (!groups.some((group) => group.courseId && !group.joined && !group.full)) return;
    const bundles = await client.get<Page<Bundle>>("/bundles", { limit: 100 }, { signal });
    this.store.update({ bundles: bundles.items.filter((bundle) => bundle.status === "active") });
  }

  #toggled(event: Event, group: GroupSession): void {
    if (group.joined && (event.target as HTMLDetailsElement).open) void this.#loadQuote(group).catch(() => undefined);
  }

  async #loadQuote(group: GroupSession): Promise<CancellationQuote> {
    const path = `/sessions/${group.sessionId}/cancellation-quote`;
    const quote = await this.context.client.get<CancellationQuote>(path, {}, { signal: this.#run.signal });
    this.store.update(({ quotes }) => ({ quotes: new Map([...quotes, [group.id, quote]]) }));
    return quote;
  }

  #join(group: GroupSession, values: FormData): Promise<void> {
    const { client } = this.context;
    const bundlePurchaseId = String(values.get("bundle") ?? "");
    return this.#doing(group, this.words().groups.done, async () => {
      const body = bundlePurchaseId ? { bundlePurchaseId } : {};
      const booking = await this.#post<GroupSession>(`/group-sessions/${group.id}/join`, body);
      const session = await client.get<Session>(`/sessions/${booking.sessionId}`, {}, { signal: this.#run.signal });
      this.context.emit("booked", { booking, session });
    });
  }

  #leave(group: GroupSession, shown: CancellationQuote): Promise<void> {
    return this.#doing(group, this.words().done.leave, async () => {
      const quote = await this.#loadQuote(group);
      // It would cost more than what is shown: that is shown first.
      if (quote.fee.amount > shown.fee.amount) throw asApiError(this.words().cancelling.costChanged);
      await this.#post(`/group-sessions/${group.id}/leave`, {});
    });
  }

  #post<T>(path: string, body: object): Promise<T> {
    const { signal } = this.#run;
    return this.#keys.send(path + JSON.stringify(body), (key) => this.context.client.post<T>(path, body, { key, signal }));
  }

  /** Does one thing at a time, and reads the groups again, whatever became of it. */
  async #doing(group: GroupSession, done: string, work: () => Promise<void>): Promise<void> {
    this.store.update({ busyId: group.id, failure: null });
    try {
      await work();
      this.context.announce(done);
    } catch (error) {
      if (this.#run.signal.aborted) return;
      this.store.update({ failure: { id: group.id, error: asApiError(error) } });
    }
    await this.#load().catch(() => undefined);
    this.store.update({ busyId: null });
  }

  #reasonOf(error: ApiError): string {
    return error.code === "page" ? error.message : (this.words().groups.problems[error.code] ?? explain(this.context.words, error));
  }
}
