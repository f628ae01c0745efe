/** Entry of the session view, loaded where a session is shown. */

import type { ReactiveController } from "lit";
import type { Session } from "../../api/types.js";
import type { PartContext, Rendered } from "../../booking/contracts.js";
import { renderOn } from "../../core/store.js";
import { adoptStyles } from "../../ui/view.js";
import { SessionFlow } from "./flow.js";
import { sessionStyles } from "./styles.js";
import type { SessionWords } from "../../i18n/enhanced/words.js";
import { renderSession } from "./view.js";

export class SessionPart {
  readonly #flow: SessionFlow;

  constructor(
    private readonly context: PartContext,
    private readonly words: () => SessionWords,
  ) {
    adoptStyles(context.element, context.signal, sessionStyles);
    this.#flow = new SessionFlow(context, words);
    renderOn(context.element, context.signal, this.#flow.store);
    new DialogController(context, this.#flow);
  }

  render(sessionId: string, locale: string): Rendered {
    // Not while rendering: it changes the state.
    queueMicrotask(() => this.#flow.open(sessionId));
    const { context, words } = this;
    const flow = this.#flow;
    const { zone } = context.store.state;
    return renderSession({ context, flow, state: flow.store.state, words: words(), locale, zone });
  }

  changed(session: Session): void {
    this.#flow.changed(session);
  }
}

/** Opens and closes the dialog as the state has it. */
class DialogController implements ReactiveController {
  constructor(
    private readonly context: PartContext,
    private readonly flow: SessionFlow,
  ) {
    context.element.addController(this);
    context.signal.addEventListener("abort", () => context.element.removeController(this));
  }

  hostUpdated(): void {
    const dialog = this.context.element.shadowRoot?.querySelector<HTMLDialogElement>(".session dialog");
    if (!dialog) return;
    const isWanted = this.flow.store.state.dialog !== null;
    if (isWanted && !dialog.open) dialog.showModal();
    // The browser gives the focus back to the button that opened it.
    if (!isWanted && dialog.open) dialog.close();
  }
}
