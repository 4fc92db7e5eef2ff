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
  #wakes = new Set<() => void>();
  /** One for all jobs. */
  #ended = () => this.#wake();

  constructor(hands: Hands, performing: Performing, listener: RoundListener) {
    this.#hands = hands;
    this.#performing = performing;
    this.#listener = listener;
  }

  /** Resolves when there is nothing more to start: after {@link end}, or the last that the native half gives. */
  async go(most: number): Promise<void> {
    let turnBegan = performance.now();
    for (;;) {
      await this.#untilFewerRun(most);
      if (this.#ending) {
        return;
      }
      // Handlers that never wait would keep timers and sockets from their turn as long as there are jobs.
      if (performance.now() - turnBegan > TURN) {
        await setImmediate();
        turnBegan = performance.now();
      }
      this.#listener.before();
      const job = this.#hands.take();
      if (job !== null) {
        this.#start(job);
      } else if (await this.#startNext(most - this.#hands.running.size)) {
        turnBegan = performance.now();
      } else {
        // After `maxJobs` the last have all the time they need; a stop says itself how long it waits.
        return this.#untilFewerRun(1);
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

  #start(job: Job): void {
    this.#listener.began();
    void this.#performing.perform(job, this.#hands, this.#ended);
  }

  /** Waits for jobs and starts them. False once there will be none. */
  async #startNext(free: number): Promise<boolean> {
    this.#reserving = true;
    try {
      const jobs = await settled(() => this.#hands.native.next(free));
      for (const job of jobs ?? []) {
        this.#start(this.#hands.reserved(job));
      }
      return jobs !== null;
    } finally {
      this.#reserving = false;
      this.#wake();
    }
  }

  async #untilFewerRun(most: number): Promise<void> {
    while (this.#hands.running.size >= most && !this.#ending) {
      await this.#woken();
    }
  }

  /** Or after so many milliseconds. */
  #woken(within?: number): Promise<void> {
    return new Promise((resolve) => {
      if (within === undefined) {
        this.#wakes.add(resolve);
        return;
      }
      const timer = setTimeout(this.#ended, within);
      this.#wakes.add(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #wake(): void {
    // Who waits on waits anew when this turn is over.
    for (const wake of this.#wakes) {
      wake();
    }
    this.#wakes.clear();
  }
}
