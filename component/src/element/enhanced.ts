/** Entry of the lazy part "enhanced": loads what is added to booking, and the session view, when they are shown. */

import { nothing } from "lit";
import { ApiError } from "../api/errors.js";
import type { EnhancedPart, PartContext, Rendered } from "../booking/contracts.js";
import { Store, renderOn } from "../core/store.js";
import { adoptStyles, failureToRetry } from "../ui/view.js";
import type { BookingExtras } from "./extras.js";
import type { SessionPart } from "../parts/session/session.js";
import { sharedStyles } from "../ui/enhanced-styles.js";
import { en, loadSessionWords, sentenceLocale, withWords, type SessionWords } from "../i18n/enhanced/words.js";

// Both modules that are loaded later need these: here, they are no file and no round trip of their own.
export { Keys } from "../core/keys.js";
export { mapSome } from "../core/some.js";
export { creditText } from "../ui/paid.js";

interface Loaded {
  words: SessionWords | null;
  session: SessionPart | null;
  extras: BookingExtras | null;
  /** Why one of them could not be loaded. */
  error: ApiError | null;
}

export function attach(context: PartContext): EnhancedPart {
  const { element, options, signal } = context;
  const loaded = new Store<Loaded>({ words: null, session: null, extras: null, error: null });
  renderOn(element, signal, loaded);
  const words = (): SessionWords => loaded.state.words ?? en;

  /** Imports a module once; after a failure, again when people want it. */
  const once = <T>(load: () => Promise<T>, keep: (module: T) => void): (() => void) => {
    let isAsked = false;
    return () => {
      if (isAsked) return;
      isAsked = true;
      void load().then(
        (module) => void (signal.aborted || keep(module)),
        () => {
          const error = ApiError.ofPart();
          loaded.update({ error });
          context.telemetry.failed(error);
          context.emit("failed", { error, during: "load" });
          again = () => {
            isAsked = false;
            loaded.update({ error: null });
          };
        },
      );
    };
  };
  let again = (): void => undefined;
  const renderError = (): Rendered => {
    const { error } = loaded.state;
    return error ? failureToRetry({ words: context.words }, error, () => again()) : nothing;
  };
  const loadSession = once(
    () => import("../parts/session/session.js"),
    ({ SessionPart }) => loaded.update({ session: new SessionPart(context, words) }),
  );
  const loadExtras = once(
    () => import("./extras.js"),
    ({ BookingExtras }) => loaded.update({ extras: new BookingExtras(context, words) }),
  );
  /** What an extra shows, once it and its words are there. */
  const extra = (render: (extras: BookingExtras) => Rendered): Rendered => {
    loadExtras();
    const { extras, words } = loaded.state;
    return extras && words ? render(extras) : nothing;
  };

  /** What `basic` does not have, where the part is there for something else. */
  const ofVariant = (render: (extras: BookingExtras) => Rendered): Rendered =>
    context.options.variant === "basic" ? nothing : extra(render);

  void loadSessionWords(options.locale)
    // The file may be gone after an upgrade: English is better than nothing.
    .catch(() => en)
    .then((found) => loaded.update({ words: withWords(found, context.words.parts?.session) }));
  if (options.sessionId) loadSession();
  else loadExtras();
  adoptStyles(element, signal, sharedStyles);

  return {
    get groups() {
      return loaded.state.extras?.groups ?? null;
    },
    renderAvailability: () =>
      context.options.showAvailabilityStatus ? extra((extras) => extras.renderAvailability()) : nothing,
    renderRefused: (day) => ofVariant((extras) => extras.renderRefused(day)),
    renderGroups: () => (loaded.state.error ? renderError() : ofVariant((extras) => extras.renderGroups())),
    renderSeriesFields: () => ofVariant((extras) => extras.renderSeriesFields()),
    recurrence: () => loaded.state.extras?.recurrence ?? null,
    sessions: () => loaded.state.extras?.sessions ?? 1,
    hasMistake: () => loaded.state.extras?.hasMistake ?? false,
    renderSeries: (made) => extra((extras) => extras.renderSeries(made)),
    renderSession: (sessionId) => {
      loadSession();
      const { session, words, error } = loaded.state;
      if (error) return renderError();
      return session && words ? session.render(sessionId, sentenceLocale(options.locale)) : nothing;
    },
    sessionChanged: (session) => {
      loaded.state.session?.changed(session);
      loaded.state.extras?.sessionChanged(session);
    },
  };
}
