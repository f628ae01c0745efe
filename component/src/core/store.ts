/** A store: one immutable state, changed by `update`, that views render from. */

import type { ReactiveControllerHost } from "lit";

type Listener<S> = (state: Readonly<S>, previous: Readonly<S>) => void;

export class Store<S extends object> {
  #state: Readonly<S>;
  readonly #listeners = new Set<Listener<S>>();

  constructor(initial: S) {
    this.#state = initial;
  }

  get state(): Readonly<S> {
    return this.#state;
  }

  /** Replace some values; listeners are called once, and only if one has changed. */
  update(change: Partial<S> | ((state: Readonly<S>) => Partial<S>)): void {
    const previous = this.#state;
    const changed = typeof change === "function" ? change(previous) : change;
    if (Object.entries(changed).every(([name, value]) => Object.is(previous[name as keyof S], value))) return;
    this.#state = { ...previous, ...changed };
    for (const listener of [...this.#listeners]) listener(this.#state, previous);
  }

  /** @param signal ends the subscription. */
  subscribe(listener: Listener<S>, signal?: AbortSignal): void {
    if (signal?.aborted) return;
    this.#listeners.add(listener);
    signal?.addEventListener("abort", () => this.#listeners.delete(listener));
  }
}

/** Renders an element whenever one of the stores has changed, until the signal. */
export function renderOn(element: ReactiveControllerHost, signal: AbortSignal, ...stores: Pick<Store<object>, "subscribe">[]): void {
  for (const store of stores) store.subscribe(() => element.requestUpdate(), signal);
}
