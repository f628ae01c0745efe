/** What owners measure: load time, first slot, stream health, errors. No personal data; sent once, from a sample. */

import type { ApiError } from "./api/errors.js";

export interface StreamHealth {
  connectedSeconds: number;
  disconnectedSeconds: number;
  reconnections: number;
}

/** What the API tells every component. */
export interface ComponentConfig {
  streamsUrl: string | null;
  telemetryPercent: number;
}

const configs = new Map<string, Promise<ComponentConfig>>();

/**
 * What the API tells every component, fetched once for its address.
 *
 * @throws TypeError it cannot be reached; it is asked again the next time.
 */
export function componentConfig(base: string): Promise<ComponentConfig> {
  let config = configs.get(base);
  if (!config) {
    config = fetch(`${base}/component/config.json`, { credentials: "omit" })
      .then((answer) => answer.json() as Promise<ComponentConfig>);
    config.catch(() => configs.delete(base));
    configs.set(base, config);
  }
  return config;
}

export class Telemetry {
  readonly #startedAt = performance.now();
  readonly #measured: Record<string, number> = {};
  readonly #errors: Record<string, number> = {};
  #isChosen = false;
  /** Set by the realtime part: the stream's health up to now. */
  stream: (() => StreamHealth) | null = null;

  constructor(
    private readonly base: string,
    private readonly variant: string,
  ) {}

  /** The first view with data is rendered. Decides whether this page is in the sample, when there is time. */
  loaded(): void {
    if (this.#measured["loadSeconds"]) return;
    this.#measure("loadSeconds");
    setTimeout(async () => {
      const config = await componentConfig(this.base).catch(() => null);
      this.#isChosen = config !== null && Math.random() * 100 < config.telemetryPercent;
    }, SAMPLED_AFTER_MS);
  }

  /** The first free slot can be chosen. */
  firstSlot(): void {
    this.#measure("firstSlotSeconds");
  }

  failed({ code, status }: ApiError): void {
    const kind = OWN_KINDS.includes(code) ? code : status >= 500 ? "server" : status ? "refused" : "script";
    this.#errors[kind] = Math.min((this.#errors[kind] ?? 0) + 1, 1000);
  }

  /** Sends what was measured, once. */
  send(): void {
    if (!this.#isChosen) return;
    this.#isChosen = false;
    const errors = Object.keys(this.#errors).length ? this.#errors : undefined;
    const body = { variant: this.variant, ...this.#measured, stream: this.stream?.(), errors };
    navigator.sendBeacon(`${this.base}/component/telemetry`, JSON.stringify(body));
  }

  #measure(name: string): void {
    this.#measured[name] ??= Math.round(performance.now() - this.#startedAt) / 1000;
  }
}

const OWN_KINDS = ["network", "timeout", "rate_limited", "unauthenticated"];
const SAMPLED_AFTER_MS = 3_000;
