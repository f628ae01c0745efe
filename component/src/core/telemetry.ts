/** Measured for owners: load time, first slot, stream health, errors. The lazy part "beacon" sends it. */

import type { ApiError } from "../api/errors.js";

export interface StreamHealth {
  connectedSeconds: number;
  disconnectedSeconds: number;
  reconnections: number;
}

/** The API accepts no more of a kind. */
const MAX_ERRORS = 1000;

/** By `performance.now()`, in milliseconds. */
export class Telemetry {
  readonly startedAt = performance.now();
  loadedAt: number | undefined;
  firstSlotAt: number | undefined;
  readonly errors: ApiError[] = [];
  /** Set by the realtime part: the stream's health up to now. */
  stream: (() => StreamHealth) | null = null;

  /** The first view with data is rendered. */
  loaded(): void {
    this.loadedAt ??= performance.now();
  }

  /** The first free slot can be chosen. */
  firstSlot(): void {
    this.firstSlotAt ??= performance.now();
  }

  failed(error: ApiError): void {
    if (this.errors.length < MAX_ERRORS) this.errors.push(error);
  }
}
