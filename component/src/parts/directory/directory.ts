/** Lazy part "directory": the mentors to choose from, on a page that names neither a mentor nor a course. */

import { html, nothing, type TemplateResult } from "lit";
import { delay } from "../../api/client.js";
import { ApiError } from "../../api/errors.js";
import type { Mentor, Page } from "../../api/types.js";
import { renderSkeleton } from "../../booking/calendar/view.js";
import { renderPerson } from "../../booking/card.js";
import type { DirectoryPart, PartContext, View } from "../../booking/contracts.js";
import { Latest } from "../../core/work.js";
import { Store, renderOn } from "../../core/store.js";
import { arrow, button, failure, valueOf } from "../../ui/view.js";
import { directoryWords } from "./words.js";

const PAGE_SIZE = 12;
/** After the last letter, before it is searched for. */
const TYPING_MS = 300;

interface DirectoryState {
  mentors: Mentor[];
  nextCursor: string | null;
  isLoading: boolean;
  error: ApiError | null;
}

export class Directory implements DirectoryPart {
  readonly #store = new Store<DirectoryState>({ mentors: [], nextCursor: null, isLoading: true, error: null });
  readonly #reads: Latest;
  #words = "";

  /** @param choose takes the id of a mentor, or null for all of them. */
  constructor(
    private readonly context: PartContext,
    private readonly choose: (mentorId: string | null) => void,
  ) {
    this.#reads = new Latest(context.signal);
    renderOn(context.element, context.signal, this.#store);
    if (!context.options.mentorId) void this.#load();
    addEventListener("online", () => void (this.#store.state.error?.isTemporary && this.#load()), { signal: context.signal });
  }

  render(view: View): TemplateResult {
    const words = directoryWords(view);
    const { mentors, nextCursor, isLoading, error } = this.#store.state;
    return html`<section class="calendar" aria-labelledby="directory">
      <h3 id="directory" tabindex="-1" data-focus>${words.title}</h3>
      <input
        type="search"
        aria-label=${words.search}
        placeholder=${words.search}
        @input=${(event: Event) => void this.#search(valueOf(event))}
      />
      <ul class="offers">
        ${mentors.map(
          (mentor) =>
            html`<li class="offer single">
              ${renderPerson(view, mentor)}
              <button
                part="button"
                aria-label=${`${words.choose}: ${mentor.name}`}
                @click=${() => this.choose(mentor.id)}
              >
                ${words.choose}
              </button>
            </li>`,
        )}
      </ul>
      ${isLoading ? renderSkeleton(view.words.loading) : nothing}
      ${error ? failure(view, error, button(view.words.tryAgain, () => this.#load())) : nothing}
      <p class="muted" role="status">${mentors.length || isLoading || error ? nothing : words.none}</p>
      ${nextCursor && !error ? button(words.more, () => isLoading || this.#showMore()) : nothing}
    </section>`;
  }

  renderBack(view: View): TemplateResult {
    return html`<button class="link" part="button" @click=${() => this.choose(null)}>
      ${arrow("m15 6-6 6 6 6")} ${directoryWords(view).back}
    </button>`;
  }

  async #search(words: string): Promise<void> {
    this.#words = words.trim();
    const signal = this.#reads.next();
    await delay(TYPING_MS, signal).catch(() => undefined);
    if (signal.aborted) return;
    this.#store.update({ mentors: [], nextCursor: null });
    await this.#load();
  }

  /** People go on at the first of the mentors who were added. */
  async #showMore(): Promise<void> {
    const { element } = this.context;
    const { length } = this.#store.state.mentors;
    await this.#load();
    await element.updateComplete;
    element.renderRoot.querySelectorAll<HTMLElement>("li button")[length]?.focus();
  }

  /** The next page of what is searched for. */
  async #load(): Promise<void> {
    const signal = this.#reads.next();
    this.#store.update({ isLoading: true, error: null });
    const { nextCursor: cursor } = this.#store.state;
    try {
      const query = { limit: PAGE_SIZE, q: this.#words || null, cursor };
      const page = await this.context.client.get<Page<Mentor>>("/mentors", query, { open: true, signal });
      const mentors = [...this.#store.state.mentors, ...page.items];
      this.#store.update({ mentors, nextCursor: page.nextCursor, isLoading: false });
      this.context.telemetry.loaded();
    } catch (error) {
      if (signal.aborted) return;
      const failed = ApiError.of(error);
      this.#store.update({ isLoading: false, error: failed });
      this.context.telemetry.failed(failed);
      this.context.emit("failed", { error: failed, during: "load" });
    }
  }
}
