/** The streams of a page: one for each mentor and person, shared by all components that follow them. */

import { Client } from "../../api/client.js";
import type { Session } from "../../api/types.js";
import type { StreamHealth } from "../../core/telemetry.js";
import type { ServerEvent } from "./sse.js";
import { EventStream, type StreamState } from "./stream.js";

/** A time in milliseconds since the epoch, with the buffers of its booking. */
export interface Interval {
  start: number;
  end: number;
}

export type AvailabilityChange =
  /** All busy times; `isFirst`: nothing was known before. */
  | { kind: "snapshot"; busy: Interval[]; isFirst: boolean }
  | ({ kind: "busy" | "free" } & Interval)
  /** Hours, dates, time off or rules have changed. */
  | { kind: "hours" };

/** The seats of a group session of a mentor have moved. */
export interface SeatsChange {
  kind: "seats";
  groupSessionId: string;
  capacity: number;
  seatsTaken: number;
  seatsOffered: number;
  full: boolean;
}

export type MentorChange = AvailabilityChange | SeatsChange;

interface Subscriber<C> {
  client: Client;
  onChange(change: C): void;
  onState(state: StreamState): void;
}

export interface Subscription {
  readonly state: StreamState;
  readonly health: StreamHealth;
  retryNow(): void;
  end(): void;
}

/** How long a page may be hidden before its streams are closed. */
const HIDDEN_MS = 60_000;

class SharedStream<C> {
  readonly subscribers = new Set<Subscriber<C>>();
  readonly stream: EventStream;

  constructor(
    path: string,
    query: Record<string, string>,
    isOpen: boolean,
    private readonly onEvent: (event: ServerEvent, shared: SharedStream<C>) => void,
  ) {
    this.stream = new EventStream({
      open: (headers, signal) => {
        const [first] = this.subscribers;
        if (!first) throw new DOMException("No one follows.", "AbortError");
        const init = { headers, signal, cache: "no-store", redirect: "error" } as const;
        return first.client.fetch(path, { query, open: isOpen }, init);
      },
      onEvent: (event) => this.onEvent(event, this),
      onState: (state) => this.subscribers.forEach((each) => each.onState(state)),
      onCrowded: () => tabs?.postMessage("crowded"),
    });
  }

  tell(change: C): void {
    this.subscribers.forEach((each) => each.onChange(change));
  }
}

class MentorStream {
  readonly busy = new Map<string, Interval>();
  isKnown = false;
  readonly shared: SharedStream<MentorChange>;

  constructor(mentorId: string) {
    const query = { mentorProfileId: mentorId };
    this.shared = new SharedStream("/streams/availability", query, true, (event) => this.#take(event));
  }

  #take({ type, data }: ServerEvent): void {
    if (type === "snapshot") {
      const { busy } = JSON.parse(data) as { busy: Times[] };
      this.busy.clear();
      for (const each of busy.map(intervalOf)) this.busy.set(keyOf(each), each);
      this.shared.tell({ kind: "snapshot", busy: [...this.busy.values()], isFirst: !this.isKnown });
      this.isKnown = true;
    } else if (type === "hours") this.shared.tell({ kind: "hours" });
    else if (type === "group") this.shared.tell({ ...(JSON.parse(data) as Omit<SeatsChange, "kind">), kind: "seats" });
    else if (type === "busy" || type === "free") {
      const times = JSON.parse(data) as Partial<Times>;
      // Without times it says only that something has changed.
      if (!times.startTime || !times.endTime) return this.shared.tell({ kind: "hours" });
      const interval = intervalOf(times as Times);
      if (type === "busy") this.busy.set(keyOf(interval), interval);
      else this.busy.delete(keyOf(interval));
      this.shared.tell({ kind: type, ...interval });
    }
  }
}

const mentors = new Map<string, MentorStream>();
const people = new Map<unknown, SharedStream<Session>>();

/** Follows when a mentor is busy, and the seats of their groups; `onChange` is called with a snapshot as soon as there is one. */
export function followMentor(client: Client, mentorId: string, subscriber: Omit<Subscriber<MentorChange>, "client">): Subscription {
  const name = `${client.base} ${mentorId}`;
  const mentor = mentors.get(name) ?? new MentorStream(mentorId);
  mentors.set(name, mentor);
  const own: Subscriber<MentorChange> = { ...subscriber, client };
  const following = follow(mentor.shared, own, () => mentors.delete(name));
  if (mentor.isKnown) own.onChange({ kind: "snapshot", busy: [...mentor.busy.values()], isFirst: true });
  return following;
}

/** Follows the sessions of the person whose tokens the client has. */
export function followSessions(client: Client, subscriber: Omit<Subscriber<Session>, "client">): Subscription {
  const { token, tokenUrl } = client.tokens.options;
  // The same source of tokens is the same person.
  const name = typeof token === "function" ? token : `${client.base} ${token ?? tokenUrl}`;
  const shared = people.get(name) ?? new SharedStream<Session>("/streams/sessions", {}, false, takeSession);
  people.set(name, shared);
  return follow(shared, { ...subscriber, client }, () => people.delete(name));
}

function takeSession({ type, data }: ServerEvent, shared: SharedStream<Session>): void {
  if (type === "snapshot") (JSON.parse(data) as { items: Session[] }).items.forEach((each) => shared.tell(each));
  else if (type === "session") shared.tell((JSON.parse(data) as { session: Session }).session);
}

function follow<C>(shared: SharedStream<C>, subscriber: Subscriber<C>, onLast: () => void): Subscription {
  const isFirst = shared.subscribers.size === 0;
  shared.subscribers.add(subscriber);
  if (isFirst) {
    watched.add(shared.stream);
    watch();
    void shared.stream.run();
  }
  return {
    get state() {
      return shared.stream.state;
    },
    get health() {
      return shared.stream.health;
    },
    retryNow: () => shared.stream.retryNow(),
    end: () => {
      if (!shared.subscribers.delete(subscriber) || shared.subscribers.size) return;
      watched.delete(shared.stream);
      shared.stream.end();
      onLast();
    },
  };
}

// --- The page: shown or hidden, online or offline ---

const watched = new Set<EventStream>();
let isWatching = false;
/** Tabs that no one looks at make room for others. */
let tabs: BroadcastChannel | null = null;

function watch(): void {
  if (isWatching) return;
  isWatching = true;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const pause = (): void => watched.forEach((stream) => stream.pause());
  const resume = (): void => watched.forEach((stream) => stream.resume());
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(pause, HIDDEN_MS);
    else {
      resume();
      watched.forEach((stream) => stream.retryNow());
    }
  });
  tabs = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel("tutelage-streams");
  tabs?.addEventListener("message", () => document.hidden && pause());
  // A page with an open connection is not kept for the way back.
  addEventListener("pagehide", pause);
  addEventListener("pageshow", () => document.hidden || resume());
  addEventListener("offline", () => watched.forEach((stream) => stream.drop()));
  addEventListener("online", () => watched.forEach((stream) => stream.retryNow()));
}

interface Times {
  startTime: string;
  endTime: string;
}

function intervalOf({ startTime, endTime }: Times): Interval {
  return { start: Date.parse(startTime), end: Date.parse(endTime) };
}

export function keyOf({ start, end }: Interval): string {
  return `${start}-${end}`;
}
