/** Where the tokens come from: the page's own function, its `token-url`, or a fixed value. Never stored. */

import { ApiError } from "./errors.js";

/** A page's `token`: a token, or a function that gets one. */
export type TokenProvider = string | (() => string | null | Promise<string | null>);

export interface TokenOptions {
  token?: TokenProvider | null;
  /** A same-site endpoint of the page: `POST` answers `{token, expiresAt?}`. */
  tokenUrl?: string | null;
  /** Reads the catalogue without anyone signed in. */
  publishableKey?: string | null;
}

const RENEWED_BEFORE_EXPIRY_MS = 30_000;
const TIMEOUT_MS = 15_000;

export class Tokens {
  #value: string | null = null;
  #subject: string | null = null;
  #expiresAt = Infinity;
  #request: Promise<string | null> | null = null;
  /** How often the page has given another source of tokens. */
  #source = 0;
  /** Whether a token was asked for, with whatever answer: before, nothing is shown in anyone's name. */
  #isAnswered = false;
  /** The token and person before the page gave another source, until that source has given a token. */
  #before: { value: string | null; subject: string | null } | null = null;
  #refused: string | null = null;
  readonly #couldSignIn: boolean;

  /**
   * @param options with the present values at each use.
   * @param onOther is called where the page gives a token of another person, or of one who may be another.
   */
  constructor(
    readonly options: TokenOptions,
    private readonly onOther: () => void = () => undefined,
  ) {
    this.#couldSignIn = this.canSignIn;
  }

  /** Whether people can be signed in at all; without it, only the catalogue can be read. */
  get canSignIn(): boolean {
    return Boolean(this.options.token ?? this.options.tokenUrl);
  }

  /**
   * The credential of a request, or null where there is none.
   *
   * @param open whether the route is open to the publishable key, which needs no round trip.
   * @throws ApiError 401 `unauthenticated`: the page's endpoint has no one signed in.
   */
  async get(open = false): Promise<string | null> {
    if (this.#isFresh()) return this.#value;
    if (open && this.options.publishableKey) return this.options.publishableKey;
    if (!this.canSignIn) return this.options.publishableKey ?? null;
    const request = this.#ask();
    // Where no one is signed in, the catalogue may be open to everyone.
    return open ? request.catch(() => null) : request;
  }

  /** The page has given another token, or another function: its person is compared with the one before. */
  renew(): void {
    if (this.canSignIn !== this.#couldSignIn) return this.onOther();
    this.#source++;
    if (!this.#isAnswered) return;
    this.#before ??= { value: this.#value, subject: this.#subject };
    this.#value = null;
    this.#ask().catch(() => undefined);
  }

  /** Whether the API has refused the last token, and none has come since. */
  get isRefused(): boolean {
    return this.#refused !== null;
  }

  /** Forgets a token that was refused. Whether another one can be fetched. */
  refuse(token: string | null): boolean {
    if (token === this.#value) {
      this.#value = null;
      this.#refused = token;
    }
    return this.canSignIn && (typeof this.options.token !== "string" || this.options.token !== token);
  }

  /** The `sub` of the last token, also after its end: who is signed in; null where that is not known. */
  get subject(): string | null {
    return this.#subject;
  }

  #isFresh(): boolean {
    return this.#value !== null && Date.now() < this.#expiresAt - RENEWED_BEFORE_EXPIRY_MS;
  }

  #ask(): Promise<string | null> {
    return (this.#request ??= this.#fetchPresent().finally(() => {
      this.#request = null;
      this.#isAnswered = true;
    }));
  }

  /** A token of the present source: the answer of one that was replaced meanwhile is dropped. */
  async #fetchPresent(): Promise<string | null> {
    for (;;) {
      const source = this.#source;
      const isPresent = (): boolean => source === this.#source;
      try {
        const fetched = await this.#fetch();
        if (isPresent()) return this.#keep(...fetched);
      } catch (error) {
        if (isPresent()) throw error;
      }
    }
  }

  async #fetch(): Promise<[token: string | null, expiresAt?: string | undefined, date?: string | null]> {
    const { token, tokenUrl } = this.options;
    if (token) return [typeof token === "function" ? await token() : token];
    const answer = await fetch(tokenUrl ?? "", {
      method: "POST",
      credentials: "same-origin",
      headers: { Accept: "application/json" },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }).catch((error: unknown) => {
      throw ApiError.ofConnection(error);
    });
    if (!answer.ok) {
      const isRefused = answer.status === 401 || answer.status === 403;
      throw isRefused ? new ApiError(401, "unauthenticated") : await ApiError.ofResponse(answer);
    }
    const body = (await answer.json()) as { token?: string; expiresAt?: string };
    return [body.token ?? null, body.expiresAt, answer.headers.get("Date")];
  }

  /** @param date when the token was made, by the same clock as `expiresAt`. */
  #keep(token: string | null, expiresAt?: string, date?: string | null): string | null {
    const { exp, iat, sub } = claimsOf(token);
    const before = this.#before;
    this.#before = null;
    if (before && token !== before.value && (!sub || sub !== before.subject)) {
      this.onOther();
      // A request in the name of the person before is not sent in the name of this one.
      throw new ApiError(401, "unauthenticated");
    }
    if (token !== this.#refused) this.#refused = null;
    this.#value = token;
    this.#subject = sub ?? null;
    const end = expiresAt ? Date.parse(expiresAt) : exp ? exp * 1000 : Infinity;
    const left = end - Date.now();
    const lifetime = end - (expiresAt && date ? Date.parse(date) : (iat ?? NaN) * 1000);
    // Where the visitor's clock is wrong, the token's whole life counts, from now on.
    this.#expiresAt = Date.now() + (left < 0 || left > lifetime ? lifetime || left : left);
    return token;
  }
}

interface Claims {
  exp?: number;
  iat?: number;
  sub?: string;
}

/** The claims of a JWT that are of use here; none of any other token. Not verified: the API does that. */
export function claimsOf(token: string | null): Claims {
  try {
    const payload = token?.split(".")[1]?.replaceAll("-", "+").replaceAll("_", "/") ?? "";
    return (JSON.parse(atob(payload)) ?? {}) as Claims;
  } catch {
    return {};
  }
}
