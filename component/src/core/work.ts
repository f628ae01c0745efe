/** Work that goes on for a while: of which the latest alone counts, or of which some is done at once. */

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

/** Does the same work for several things, some at once; the results are in their order. */
export async function mapSome<T, R>(things: readonly T[], atOnce: number, work: (thing: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const waiting = [...things.entries()];
  const run = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) results[next[0]] = await work(next[1]);
  };
  await Promise.all(Array.from({ length: atOnce }, run));
  return results;
}
