/** Lazy part "beacon": sends what was measured when the page is left, from a sample. No personal data. */

import type { ApiError } from "../api/errors.js";
import type { Telemetry } from "./telemetry.js";

const OWN_KINDS = ["network", "timeout", "rate_limited", "unauthenticated"];

/** Sends it once: when the page is left, or `signal` is aborted because the element is taken out of it. */
export async function sendAtEnd(telemetry: Telemetry, base: string, variant: string, signal: AbortSignal): Promise<void> {
  const config = await fetch(`${base}/component/config.json`, { credentials: "omit" })
    .then((answer) => answer.json() as Promise<{ telemetryPercent?: number }>)
    .catch(() => null);
  if (Math.random() * 100 >= (config?.telemetryPercent ?? 0)) return;
  const leaving = new AbortController();
  const send = (): void => {
    leaving.abort();
    navigator.sendBeacon(`${base}/component/telemetry`, JSON.stringify(reportOf(telemetry, variant)));
  };
  if (signal.aborted) return send();
  addEventListener("pagehide", send, { signal: leaving.signal });
  signal.addEventListener("abort", send, { signal: leaving.signal });
}

/** The body of the beacon. */
export function reportOf(telemetry: Telemetry, variant: string): object {
  const { startedAt, loadedAt, firstSlotAt, stream } = telemetry;
  const secondsTo = (time: number | undefined): number | undefined =>
    time === undefined ? undefined : Math.round(time - startedAt) / 1000;
  const errors: Record<string, number> = {};
  for (const error of telemetry.errors) {
    const kind = kindOf(error);
    errors[kind] = (errors[kind] ?? 0) + 1;
  }
  return {
    variant,
    loadSeconds: secondsTo(loadedAt),
    firstSlotSeconds: secondsTo(firstSlotAt),
    stream: stream?.(),
    errors: telemetry.errors.length ? errors : undefined,
  };
}

function kindOf({ code, status }: ApiError): string {
  if (OWN_KINDS.includes(code)) return code;
  return status >= 500 ? "server" : status ? "refused" : "script";
}
