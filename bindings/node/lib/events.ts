import { settled } from "./errors.js";
import type { NativeEvents } from "./native.js";

/** What can happen to a job; `lost` is told to its worker alone. */
export type EventName =
  | "put"
  | "waiting"
  | "scheduled"
  | "blocked"
  | "throttled"
  | "reserved"
  | "stalled"
  | "lost"
  | "completed"
  | "failed"
  | "cancelled"
  | "track"
  | "untrack";

/** Something that happened to a job. */
export interface Event {
  /** What happened. */
  readonly event: EventName;
  /** To which job. */
  readonly jid: string;
  /** The queue that it is in now. */
  readonly queue: string;
  /** Names its handler. */
  readonly kind: string;
  /** Who holds it, or null. */
  readonly worker: string | null;
  /** Milliseconds. When, by Redis's clock, UTC epoch. */
  readonly at: number;
}

/** Options of {@link Client.events}. */
export interface EventsOptions {
  /** The events to hear; `*` stands for all. Default: all, or none with `worker`. */
  what?: readonly (Exclude<EventName, "lost"> | "*")[];
  /** A worker's name: hear too what becomes of the jobs that it holds, tracked or not: stalled, lost, cancelled. Default: none. */
  worker?: string;
}

export const EVENTS_OPTIONS = { what: "what", worker: "worker" };

/**
 * A subscription to events: an async iterator that waits for the next one. Made by {@link Client.events}.
 *
 * It has a connection of its own, and makes another when that breaks. With the setting `events` at `all`, what happened
 * meanwhile is heard then, in its order and once, before what happens later: Redis keeps the last 10,000 events or so. What
 * cannot be known is missed, see {@link gaps}.
 *
 * While an event is waited for, the process stays alive; a subscription that nobody waits on does not keep it. Leaving a
 * `for await` closes it, as do an error, {@link close} and the client's close.
 *
 * Source: core/src/client/events/mod.rs
 */
export class Events implements AsyncIterableIterator<Event> {
  #native: NativeEvents;
  /** Each as the core's JSON. */
  #heard: string[] = [];
  #closed = false;
  /** Ends with the last `next` asked for: each is answered in its turn. */
  #turn: Promise<unknown> = Promise.resolve();

  /** @internal */
  constructor(native: NativeEvents) {
    this.#native = native;
  }

  /**
   * How often events may have been missed, counted when a lost connection is back: where the setting `events` is not `all` or
   * became so only meanwhile, where more happened meanwhile than Redis keeps, and where the login may not use `XINFO` and
   * `XREVRANGE` on `{namespace}:events`. For a worker's channel also where any job was cancelled meanwhile: what Redis keeps
   * does not say whose it was.
   */
  get gaps(): number {
    return this.#native.gaps;
  }

  /** True when nothing more will come. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Wait until the server listens: what happens from then on is heard.
   *
   * @returns this subscription: `const events = await client.events().ready()`.
   * @throws Denied when the login may not subscribe to `{namespace}:event:*`; Unavailable, Closed.
   */
  async ready(): Promise<this> {
    await this.#orClose(() => this.#native.ready());
    return this;
  }

  /**
   * The next event; waits for it.
   *
   * @returns `done` once the subscription or its client is closed.
   * @throws what keeps the server from being reached and cannot pass by itself, for example Denied.
   */
  next(): Promise<IteratorResult<Event, undefined>> {
    const next = this.#turn.then(() => this.#next());
    this.#turn = next.catch(() => {});
    return next;
  }

  /** As {@link close}: what a `for await` that is left calls. */
  async return(): Promise<IteratorResult<Event, undefined>> {
    await this.close();
    return { done: true, value: undefined };
  }

  /** End the subscription; whoever waits for an event is told so. Safe to repeat. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#heard = [];
    this.#native.close();
  }

  /** As {@link close}, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #next(): Promise<IteratorResult<Event, undefined>> {
    if (!this.#closed && this.#heard.length === 0) {
      const heard = await this.#orClose(() => this.#native.next());
      if (heard === null) {
        // Of the client perhaps: the connection goes with the subscription.
        await this.close();
      } else if (!this.#closed) {
        this.#heard = heard;
      }
    }
    const text = this.#heard.shift();
    return text === undefined ? { done: true, value: undefined } : { done: false, value: told(text) };
  }

  /** An iterator that threw is at its end, and a `for await` that ends by it calls nothing more. */
  async #orClose<T>(body: () => Promise<T>): Promise<T> {
    try {
      return await settled(body);
    } catch (error) {
      await this.close();
      throw error;
    }
  }
}

function told(text: string): Event {
  const { event, jid, queue, kind, worker, at_ms } = JSON.parse(text);
  return { event, jid, queue, kind, worker, at: at_ms };
}
