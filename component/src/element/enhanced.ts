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
  /** Additions to booking, once they and their words are there. */
  const extras = (): BookingExtras | null => {
    loadExtras();
    return loaded.state.words && loaded.state.extras;
  };
  /** The basic variant does not have it, where the part is there for something else. */
  const ofVariant = (): BookingExtras | null => (context.options.variant === "basic" ? null : extras());

  void loadSessionWords(options.locale)
    // The file may be gone after an upgrade: English is better than nothing.
    .catch(() => en)
    .then((found) => loaded.update({ words: withWords(found, context.words.parts?.session) }));
  if (options.sessionId) loadSession();
  else loadExtras();
  adoptStyles(element, signal, sharedStyles);

  return {
    get extras() {
      return ofVariant();
    },
    renderAvailability: () => (context.options.showAvailabilityStatus && extras()?.renderAvailability()) || nothing,
    renderGroups: () => (loaded.state.error ? renderError() : (ofVariant()?.renderGroups() ?? nothing)),
    renderSession: (sessionId) => {
      loadSession();
      const { session, words, error } = loaded.state;
      if (error) return renderError();
      return session && words ? session.render(sessionId, sentenceLocale(context)) : nothing;
    },
    sessionChanged: (session) => {
      loaded.state.session?.changed(session);
      loaded.state.extras?.groups.sessionChanged(session);
    },
  };
}
