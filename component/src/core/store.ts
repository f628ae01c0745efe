/** A store: one immutable state, changed by `update`, that views render from. */

import type { ReactiveController, ReactiveControllerHost } from "lit";

export type Listener<S> = (state: Readonly<S>, previous: Readonly<S>) => void;

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

  /** @returns the function that ends the subscription. */
  subscribe(listener: Listener<S>): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** Renders its host whenever the store has changed. */
export class StoreController<S extends object> implements ReactiveController {
  #unsubscribe: (() => void) | null = null;

  constructor(
    private readonly host: ReactiveControllerHost,
    readonly store: Store<S>,
  ) {
    host.addController(this);
  }

  hostConnected(): void {
    this.#unsubscribe = this.store.subscribe(() => this.host.requestUpdate());
  }

  hostDisconnected(): void {
    this.#unsubscribe?.();
  }
}
