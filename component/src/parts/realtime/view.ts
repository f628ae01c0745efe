/** Views of the live part: the connection, marks of slots, the booking that waits. */

import { html, nothing, svg, type TemplateResult } from "lit";
import { formatTime, formatter } from "../../i18n/time.js";
import type { Rendered } from "../../booking/contracts.js";
import type { QueueState } from "./queue.js";
import type { LiveWords } from "./words.js";

export type Connection = "connecting" | "live" | "reconnecting" | "offline" | "not-live";

const ICONS: Record<Connection, TemplateResult> = {
  live: svg`<circle cx="12" cy="12" r="6" />`,
  connecting: svg`<circle cx="12" cy="12" r="8" stroke-dasharray="4 5" />`,
  reconnecting: svg`<path d="M20 12a8 8 0 1 1-3-6.2M17 2v4h-4" />`,
  offline: svg`<path d="M4 4l16 16M6 16a8 8 0 0 1 1-8m4-3a8 8 0 0 1 8 11M9.5 14a3 3 0 0 1 0-3" />`,
  "not-live": svg`<circle cx="12" cy="12" r="8" /><path d="M7 12h10" />`,
};

/** The connection by a sign and in words; while it is lost, as of when the free times are. */
export function renderConnection(words: LiveWords, state: Connection, asOf: string | null): TemplateResult {
  const name = {
    live: words.live,
    connecting: words.connecting,
    reconnecting: words.reconnecting,
    offline: words.offline,
    "not-live": words.notLive,
  }[state];
  const hint = state === "live" ? words.liveHint : state === "connecting" || !asOf ? "" : words.asOf(asOf);
  return html`<p class="connection ${state}" part="connection" role="status">
    <b><svg viewBox="0 0 24 24" aria-hidden="true">${ICONS[state]}</svg>${name}</b>
    ${hint ? html`<span>${hint}</span>` : nothing}
  </p>`;
}

/** Screen readers hear of it by a sentence, not by each mark. */
export function renderMark(words: LiveWords, mark: "taken" | "freed" | null): Rendered {
  return mark ? html`<span class="slot-mark ${mark}" aria-hidden="true">${words[mark]}</span>` : nothing;
}

export function renderQueued(
  words: LiveWords,
  { booking, isKept, blocked }: QueueState,
  since: string,
  signIn: TemplateResult,
  actions: { withdraw: () => void; send: () => void },
): TemplateResult {
  return html`<div class="queued">
    <p class="muted" role="status">${words.queuedHint}</p>
    ${blocked === "signed-out" ? signIn : nothing}
    ${blocked === "other-person" ? html`<p class="message warning" part="message" role="alert">${words.otherPerson}</p>` : nothing}
    <p class="muted">${isKept ? words.waitsSince(since) : words.waitsHere(since)}</p>
    ${booking?.wasSent ? html`<p class="muted">${words.wasSent}</p>` : nothing}
    <div class="actions">
      <button part="button" @click=${actions.withdraw}>${words.withdraw}</button>
      <button part="button" @click=${actions.send}>${words.sendNow}</button>
    </div>
  </div>`;
}

export function renderNotice(words: LiveWords, notice: string, dismiss: () => void): TemplateResult {
  return html`<div class="message notice" part="message" role="status">
    <p>${notice}</p>
    <button class="link" part="button" @click=${dismiss}>${words.dismiss}</button>
  </div>`;
}

/** The time of day; of another day, with its date. */
export function formatMoment(instant: number, locale: string, zone: string, now = Date.now()): string {
  const isToday = Math.abs(now - instant) < 12 * 3_600_000;
  if (isToday) return formatTime(instant, locale, zone);
  return formatter(locale, { timeZone: zone, dateStyle: "medium", timeStyle: "short" }).format(instant);
}
