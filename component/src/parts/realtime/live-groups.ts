/** Keeps the group sessions that are shown right by what the streams bring: seats, and the place in a waiting list. */

import type { GroupSession } from "../../api/types.js";
import type { GroupsPart, PartContext } from "../../booking/contracts.js";
import type { Interval, SeatsChange } from "./hub.js";

/** Whether a place of the waiting list is kept for the visitor: places are offered in the order of the line. */
function isKept({ waitlistPosition, seatsOffered }: GroupSession): boolean {
  return waitlistPosition !== null && waitlistPosition <= seatsOffered;
}

export class LiveGroups {
  constructor(private readonly context: PartContext) {}

  /** Seats have moved; who waits has another place in the line then, or one that is kept for them. */
  take({ groupSessionId, capacity, seatsTaken, seatsOffered, full }: SeatsChange): void {
    const known = this.#find(groupSessionId);
    if (!known) return;
    this.#show({ ...known, capacity, seatsTaken, seatsOffered, full });
    // After an action here, the part reads the group.
    if (known.waitlistPosition !== null && this.#groups?.store.state.busy?.id !== known.id) void this.#readOwn(known);
  }

  /** A time of a mentor is free: a group at that time is cancelled. */
  freed(mentorId: string, { start, end }: Interval): void {
    const isCancelled = (group: GroupSession): boolean =>
      group.mentorProfileId === mentorId && Date.parse(group.startTime) >= start && Date.parse(group.endTime) <= end;
    if (this.#groups?.store.state.groups?.some(isCancelled)) this.readAgain();
  }

  /** Seats may have moved meanwhile. */
  readAgain(): void {
    if (this.#groups?.isAsked) this.#groups.readAgain();
  }

  get #groups(): GroupsPart | null {
    return this.context.enhanced?.extras?.groups ?? null;
  }

  #find(id: string): GroupSession | undefined {
    return this.#groups?.store.state.groups?.find((group) => group.id === id);
  }

  async #readOwn(known: GroupSession): Promise<void> {
    const path = `/group-sessions/${known.id}`;
    const present = await this.context.client.get<GroupSession>(path, {}, { signal: this.context.signal }).catch(() => null);
    const { groups: words } = this.#groups?.words() ?? {};
    if (!present || !words || this.context.signal.aborted) return;
    this.#show(present);
    const hasLeft = present.waitlistPosition === null && !present.joined;
    const news = hasLeft ? words.stopped : isKept(present) && !isKept(known) ? words.kept : null;
    if (news) this.context.announce(`${present.title ?? ""}: ${news}`);
  }

  #show(present: GroupSession): void {
    this.#groups?.store.update(({ groups }) => ({
      groups: groups?.map((group) => (group.id === present.id ? present : group)) ?? null,
    }));
  }
}
