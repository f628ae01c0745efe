/** Entry of the lazy part "enhanced": sessions, series, refused times, availability. */

import { nothing, type ReactiveController } from "lit";
import type { AttachEnhanced, EnhancedPart, PartContext } from "../parts.js";
import { Store, StoreController } from "../state/store.js";
import { renderAvailability } from "./availability.js";
import { SessionFlow } from "./flow.js";
import { RefusedTimes } from "./refused.js";
import { SeriesForm } from "./series.js";
import { sessionStyles } from "./styles.js";
import { en, loadSessionWords, type SessionWords } from "./text/index.js";
import { renderSession } from "./view.js";

export const attach: AttachEnhanced = (context): EnhancedPart => {
  const { element, options } = context;
  const text = new Store<{ words: SessionWords; isLoaded: boolean }>({ words: en, isLoaded: false });
  const words = (): SessionWords => text.state.words;
  const flow = new SessionFlow(context, words);
  const series = new SeriesForm(context, words);
  const refused = new RefusedTimes(context, words);
  const controllers: ReactiveController[] = [
    ...[text, flow.store, series.store, refused.store].map((store) => new StoreController(element, store as Store<object>)),
    new DialogController(context, flow),
  ];
  void loadSessionWords(options.locale).then((loaded) => text.update({ words: loaded, isLoaded: true }));
  adoptStyles(context);

  return {
    renderAvailability: () => (text.state.isLoaded ? renderAvailability(context, words(), options.locale) : nothing),
    renderRefused: (day) => (text.state.isLoaded ? refused.render(day, options.locale) : nothing),
    renderSeriesFields: () => series.render(options.locale),
    recurrence: () => series.recurrence(),
    renderSeries: (made) => series.renderResult(made, options.locale),
    renderSession: (sessionId) => {
      // Not while rendering: it changes the state.
      queueMicrotask(() => flow.open(sessionId));
      if (!text.state.isLoaded) return nothing;
      const { zone } = context.store.state;
      return renderSession({ context, flow, state: flow.store.state, words: words(), locale: options.locale, zone });
    },
    sessionChanged: (session) => flow.changed(session),
    dispose: () => {
      flow.dispose();
      series.dispose();
      refused.dispose();
      for (const controller of controllers) {
        element.removeController(controller);
        controller.hostDisconnected?.();
      }
    },
  };
};

/** Opens and closes the dialog as the state has it, and leaves the focus where people can go on. */
class DialogController implements ReactiveController {
  constructor(
    private readonly context: PartContext,
    private readonly flow: SessionFlow,
  ) {
    context.element.addController(this);
  }

  hostUpdated(): void {
    const root = this.context.element.shadowRoot;
    const dialog = root?.querySelector("dialog");
    if (!root || !dialog) return;
    const isWanted = this.flow.store.state.dialog !== null;
    if (isWanted && !dialog.open) dialog.showModal();
    if (isWanted || !dialog.open) return;
    dialog.close();
    // The browser gives the focus back to the button; where that is gone or disabled, the view's heading has it.
    void this.context.element.updateComplete.then(() => {
      const { activeElement } = root;
      if (!activeElement || activeElement.matches(":disabled, dialog *")) root.querySelector<HTMLElement>("[data-focus]")?.focus();
    });
  }
}

function adoptStyles({ element }: PartContext): void {
  const root = element.renderRoot as ShadowRoot;
  const sheet = sessionStyles.styleSheet;
  if (sheet && !root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets.push(sheet);
}
