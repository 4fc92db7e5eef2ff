import { AsyncResource } from "node:async_hooks";
import { performance } from "node:perf_hooks";
import { setImmediate } from "node:timers/promises";
import { settled } from "./errors.js";
import type { Hands } from "./hands.js";
import type { Job } from "./job.js";
import type { Performing } from "./performing.js";

/** Milliseconds. How long jobs are started before the event loop has its turn. */
const TURN = 5;

/** Milliseconds. What setTimeout can wait; longer waits are several. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** Who is told of rounds. */
export interface RoundListener {
  /** Jobs are about to be taken. */
  before(): void;
  /** Handlers are about to be started. */
  began(): void;
}

/** Takes jobs and starts their handlers, until there are no more; then waits for the last ones. */
export class Rounds {
  #hands: Hands;
  #performing: Performing;
  #listener: RoundListener;
  /** Whether jobs are being waited for: those that arrive are still performed. */
  #reserving = false;
  #ending = false;
  /** When handlers are given up, by the monotonic clock. */
  #deadline = Number.POSITIVE_INFINITY;
  /** Wakes who waits for handlers to end: to start others, and to stop. */
  #wakes: (() => void)[] = [];
  /** How many handlers may be under way. */
  #most = 0;
  /** When the event loop had its turn, by the monotonic clock. */
  #turnBegan = 0;
  /** Whether all that {@link go} waits for is the end of a handler. */
  #full = false;
  /** What kept the next job from its start. */
  #fault: { readonly error: unknown } | undefined;
  /** The async context that {@link go} was called in: handlers start there, not in what the listeners of a job before have entered. */
  #context!: AsyncResource;
  /** One for all jobs. */
  #ended = () => {
    if (this.#full) {
      this.#startAnother();
    }
    if (!this.#full) {
      this.#wake();
    }
  };

  constructor(hands: Hands, performing: Performing, listener: RoundListener) {
    this.#hands = hands;
    this.#performing = performing;
    this.#listener = listener;
  }

  /** Resolves when there is nothing more to start: after {@link end}, or the last that the native half gives. */
  async go(most: number): Promise<void> {
    this.#most = most;
    this.#context = new AsyncResource("manyhands");
    this.#turnBegan = performance.now();
    while (!this.#ending) {
      this.#full = this.#fill();
      if (this.#full) {
        await this.#woken();
        this.#throwFault();
      } else if (this.#turnIsOver()) {
        await setImmediate();
        this.#turnBegan = performance.now();
      } else if (!this.#ending && !(await this.#startNext())) {
        // After `maxJobs` the last have all the time they need; a stop says itself how long it waits.
        while (this.#hands.running.size > 0 && !this.#ending) {
          await this.#woken();
        }
        return;
      }
    }
  }

  /** Starts no more, and gives handlers up after so many milliseconds. A later call can only shorten the time. */
  end(grace: number): void {
    this.#ending = true;
    this.#deadline = Math.min(this.#deadline, performance.now() + grace);
    this.#wake();
  }

  /** Milliseconds. What handlers have left. */
  get left(): number {
    return Math.max(0, this.#deadline - performance.now());
  }

  /** Or until the time that they have is over. `stuck`: those that have had theirs are not waited for. */
  async untilHandlersEnd(stuck: () => boolean): Promise<void> {
    while ((this.#reserving || this.#hands.awaited(stuck()) > 0) && this.left > 0) {
      await this.#woken(Math.min(this.left, LONGEST_TIMER));
    }
  }

  /** Starts jobs that are in hand: true when as many run as may, false when there is something else to do before the next. */
  #fill(): boolean {
    while (this.#hands.running.size < this.#most) {
      if (this.#ending || this.#turnIsOver()) {
        return false;
      }
      this.#listener.before();
      const job = this.#hands.take();
      if (job === null) {
        return false;
      }
      this.#start(job);
    }
    return !this.#ending;
  }

  /** Handlers that never wait would keep timers and sockets from their turn as long as there are jobs. */
  #turnIsOver(): boolean {
    return performance.now() - this.#turnBegan > TURN;
  }

  /** The next one is started here: to wake `go` for each costs more. */
  #startAnother(): void {
    // A handler may end while others start.
    this.#full = false;
    try {
      this.#full = this.#fill();
    } catch (error) {
      this.#fault = { error };
    }
  }

  #throwFault(): void {
    if (this.#fault !== undefined) {
      throw this.#fault.error;
    }
  }

  #start(job: Job): void {
    this.#listener.began();
    void this.#context.runInAsyncScope(this.#performing.perform, this.#performing, job, this.#hands, this.#ended);
  }

  /** Waits for jobs and starts them. False once there will be none. */
  async #startNext(): Promise<boolean> {
    this.#reserving = true;
    try {
      const free = this.#most - this.#hands.running.size;
      const jobs = await settled(() => this.#hands.native.next(free));
      this.#turnBegan = performance.now();
      for (const job of jobs ?? []) {
        this.#start(this.#hands.reserved(job));
      }
      return jobs !== null;
    } finally {
      this.#reserving = false;
      this.#wake();
    }
  }

  /** Or after so many milliseconds. */
  #woken(within?: number): Promise<void> {
    return new Promise((resolve) => {
      if (within === undefined) {
        this.#wakes.push(resolve);
        return;
      }
      const timer = setTimeout(() => this.#wake(), within);
      this.#wakes.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #wake(): void {
    const wakes = this.#wakes;
    this.#wakes = [];
    for (const wake of wakes) {
      wake();
    }
  }
}
