/** Whether mentors have so many sessions a day or a week at most: then a booking changes what else is free. */

import type { Client } from "../../api/client.js";
import type { BookingRules } from "../../api/types.js";

export class MentorLimits {
  readonly #limited = new Map<string, Promise<boolean>>();

  constructor(
    private readonly client: Client,
    private readonly signal: AbortSignal,
  ) {}

  /** Asked once; false to visitors, who may not read the rules: the API refuses what goes beyond them. */
  async has(mentorId: string): Promise<boolean> {
    if (!this.client.tokens.canSignIn) return false;
    let limited = this.#limited.get(mentorId);
    if (!limited) {
      limited = this.client
        .get<BookingRules>(`/mentors/${mentorId}/booking-rules`, {}, { attempts: 1, signal: this.signal })
        .then((rules) => rules.maxPerDay !== null || rules.maxPerWeek !== null)
        .catch(() => false);
      this.#limited.set(mentorId, limited);
    }
    return limited;
  }

  /** The rules have changed. */
  forget(mentorId: string): void {
    this.#limited.delete(mentorId);
  }
}
