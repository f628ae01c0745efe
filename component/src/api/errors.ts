/** The one shape of everything that can go wrong with a request. */

import type { ErrorBody, Terms } from "./types.js";

/**
 * Why a request failed: the API's refusal, or the connection.
 *
 * `status` is 0 and `code` is `network` or `timeout` where no answer came.
 */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    readonly status: number,
    readonly code: string,
    message = code,
    /** Reasons by field. */
    readonly details: Readonly<Record<string, string[]>> = {},
    /** In seconds. */
    readonly retryAfter: number | null = null,
    readonly requestId: string | null = null,
  ) {
    super(message);
  }

  /** Whether the same request may succeed later, unchanged. */
  get isTemporary(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500 || this.code === "key_in_use";
  }

  /** The present terms of what was to be booked, where the ones that were shown hold no longer; else null. */
  get presentTerms(): Partial<Terms> | null {
    const { price, cancellation = null } = this.details as unknown as Partial<Terms>;
    if (this.code === "price_changed" && price) return { price };
    return this.code === "terms_changed" ? { cancellation } : null;
  }

  /** Anything that was thrown. */
  static of(error: unknown): ApiError {
    return error instanceof ApiError ? error : new ApiError(0, "unexpected", String(error));
  }

  /** The failure of a page's own action, in the form of the API's. */
  static ofPage(error: unknown): ApiError {
    if (error instanceof ApiError) return error;
    return new ApiError(0, "page", error instanceof Error ? error.message : typeof error === "string" ? error : "");
  }

  static ofConnection(error: unknown): ApiError {
    const isTimeout = error instanceof DOMException && error.name === "TimeoutError";
    return new ApiError(0, isTimeout ? "timeout" : "network", error instanceof Error ? error.message : undefined);
  }

  /** A file of the component could not be loaded: an upgrade has removed it, or there is no connection. */
  static ofPart(): ApiError {
    return new ApiError(0, navigator.onLine ? "part" : "network");
  }

  static async ofResponse(answer: Response): Promise<ApiError> {
    // The API gives seconds, never a date.
    const retryAfter = Number(answer.headers.get("Retry-After")) || null;
    const body = (await answer.json().catch(() => null)) as ErrorBody | null;
    return body?.code
      ? new ApiError(answer.status, body.code, body.message, body.details, retryAfter, body.requestId)
      : new ApiError(answer.status, "unexpected", answer.statusText, {}, retryAfter);
  }
}
