/** Pieces that the views of a session and of its dialogs share. */

import { html, nothing, type TemplateResult } from "lit";
import type { ApiError } from "../../api/errors.js";
import type { Session } from "../../api/types.js";
import type { MovedSession, PartContext, Rendered } from "../../booking/contracts.js";
import type { SessionWords } from "../../i18n/enhanced/words.js";
import { explain, message, momentOf, waitingMessage } from "../../ui/view.js";
import type { SessionFlow } from "./flow.js";
import { movesAtOnce, opensAt, roleOf, type SessionState } from "./state.js";

/** Given to every view of the part. */
export interface SessionView {
  readonly context: PartContext;
  readonly flow: SessionFlow;
  readonly state: Readonly<SessionState>;
  readonly words: SessionWords;
  readonly locale: string;
  readonly zone: string;
}

export function renderStars({ words }: SessionView, rating: number): TemplateResult {
  return html`<span class="star" role="img" aria-label=${words.reviewing.rated(String(rating))}
    >${"★".repeat(rating)}${"☆".repeat(5 - rating)}</span
  >`;
}

/** The session, as the part that moves it needs it. */
export function movedOf(view: SessionView): MovedSession {
  const { state, context, flow } = view;
  return {
    session: state.session as Session,
    booking: state.booking,
    role: roleOf(state),
    isAtOnce: movesAtOnce(state),
    mayAct: context.options.showSessionActions && state.phase === "ready",
    isBusy: state.doing !== null,
    error: state.error ? renderError(view, state.error) : nothing,
    send: (path, body, done) => flow.move(path, body, done),
    close: () => flow.closeDialog(),
  };
}

/** Why something is not done yet. */
export function renderWaiting({ state, context }: SessionView): Rendered {
  if (!state.waiting) return nothing;
  return waitingMessage({ words: context.words, now: Date.now() }, state.waiting);
}

/** A failure that screen readers hear at once. */
export function renderError(view: SessionView, error: ApiError): TemplateResult {
  return message("danger", reasonOf(view, error));
}

/** Why something could not be done, for people. */
export function reasonOf(view: Pick<SessionView, "words" | "context" | "state">, error: ApiError | null): string {
  if (!error) return "";
  const { words, context, state } = view;
  if (error.code === "page") return error.message || words.page;
  if (error.code === "too_early" && state.session) {
    return `${words.problems["too_early"]} ${words.startFrom(momentOf(view as SessionView, opensAt(state.session)))}`;
  }
  return words.problems[error.code] ?? explain(context.words, error);
}
