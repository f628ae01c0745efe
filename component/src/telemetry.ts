/** What owners measure: load time, first slot, stream health, errors. No personal data; sampled; sent once, at the end. */

import type { ApiError } from "./api/errors.js";

export interface StreamHealth {
  connectedSeconds: number;
  disconnectedSeconds: number;
  reconnections: number;
}

export interface ComponentConfig {
  streamsUrl: string | null;
  telemetryPercent: number;
}

const configs = new Map<string, Promise<ComponentConfig>>();

/** What the API tells every component, fetched once for its address. */
export function componentConfig(base: string): Promise<ComponentConfig> {
  let config = configs.get(base);
  if (!config) {
    config = fetch(`${base}/component/config.json`, { credentials: "omit" })
      .then(async (answer) => (await answer.json()) as ComponentConfig)
      .catch(() => ({ streamsUrl: null, telemetryPercent: 0 }));
    configs.set(base, config);
  }
  return config;
}

export class Telemetry {
  readonly #startedAt = performance.now();
  #loadSeconds: number | undefined;
  #firstSlotSeconds: number | undefined;
  #errors: Record<string, number> = {};
  #isSent = false;
  /** Set by the realtime part: the stream's health up to now. */
  stream: (() => StreamHealth) | null = null;

  constructor(
    private readonly base: string,
    private readonly variant: string,
  ) {}

  /** The first view with data is rendered. */
  loaded(): void {
    this.#loadSeconds ??= this.#elapsed();
  }

  /** The first free slot can be chosen. */
  firstSlot(): void {
    this.#firstSlotSeconds ??= this.#elapsed();
  }

  failed(error: ApiError): void {
    const kind =
      error.code === "network" || error.code === "timeout" || error.code === "rate_limited"
        ? error.code
        : error.status >= 500
          ? "server"
          : error.status === 401
            ? "unauthenticated"
            : "refused";
    this.#errors[kind] = Math.min((this.#errors[kind] ?? 0) + 1, 1000);
  }

  /** Sends what was measured, once, if this page is in the sample. */
  async send(): Promise<void> {
    if (this.#isSent || this.#loadSeconds === undefined) return;
    this.#isSent = true;
    const body = JSON.stringify({
      variant: this.variant,
      loadSeconds: this.#loadSeconds,
      firstSlotSeconds: this.#firstSlotSeconds,
      stream: this.stream?.(),
      errors: Object.keys(this.#errors).length ? this.#errors : undefined,
    });
    const { telemetryPercent } = await componentConfig(this.base);
    if (Math.random() * 100 < telemetryPercent) navigator.sendBeacon(`${this.base}/component/telemetry`, body);
  }

  #elapsed(): number {
    return Math.round(performance.now() - this.#startedAt) / 1000;
  }
}
