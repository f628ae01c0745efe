/** Work that goes on for a while, of which the latest alone counts. */

/** Each run ends the one before, and all end with the element's start. */
export class Latest {
  #run = new AbortController();

  constructor(private readonly ended: AbortSignal) {}

  /** The signal of the next run. */
  next(): AbortSignal {
    this.stop();
    this.#run = new AbortController();
    return AbortSignal.any([this.ended, this.#run.signal]);
  }

  stop(): void {
    this.#run.abort();
  }
}

/** Calls back whenever people look at the page again, until the signal. */
export function whenShown(signal: AbortSignal, work: () => unknown): void {
  document.addEventListener("visibilitychange", () => document.hidden || work(), { signal });
}
