import { isMainThread } from "node:worker_threads";
import { type Attended, Attending } from "./attending.js";
import { Client } from "./client.js";
import { closed, invalidArgument, settled, sync, wrongState } from "./errors.js";
import { Hands } from "./hands.js";
import { Hooks } from "./hooks.js";
import type { Job } from "./job.js";
import { JobClass } from "./job-class.js";
import type { Middleware } from "./middleware.js";
import { type NativeWorker, native } from "./native.js";
import { callable, coreOptions, text } from "./options.js";
import { Performing } from "./performing.js";
import { onExit, onSignal } from "./process.js";
import { Rounds } from "./rounds.js";
import { Setup } from "./setup.js";
import { Taking } from "./taking.js";
import { type WorkerState, workerTitle } from "./title.js";
import { type Pace, Watch } from "./watch.js";
import {
  type Handler,
  limitsOf,
  NEXT_OPTIONS,
  type NextOptions,
  type PerformOptions,
  type RunOptions,
  type WorkerEvents,
  type WorkerOptions,
} from "./worker-options.js";

/** The status of a process that ends because of a handler that does not. */
const STUCK = 70;

/** Whether the command only loads the program, and will run its worker itself. */
let loading = false;

/**
 * Reserves jobs and performs them, on this thread's event loop.
 *
 * Native threads wait for jobs, renew the leases of those under way, and send the outcomes, whatever the event loop does.
 * While it runs it keeps the process alive; after {@link stop} the process may exit.
 *
 * ```js
 * const worker = new Worker(client, { queues: ["mail"], concurrency: 10 });
 * worker.perform("welcome", async (job) => send(job.data.to));
 * await worker.run();
 * ```
 */
export class Worker extends Hooks<WorkerEvents> {
  #setup: Setup;
  #performing: Performing;
  #hands: Hands;
  #rounds: Rounds;
  #taking: Taking;
  #attending: Attending;
  /** Whether it has begun to take jobs. */
  #begun = false;
  #ran = false;
  #stopping: Promise<void> | undefined;
  /** Looks for what {@link run} must do. */
  #watch = new Watch(() => this.#seen(), true);
  #paused = false;

  /**
   * Checks the options; takes no job before {@link run}.
   *
   * @throws InvalidArgument naming the option that is missing, wrong or unknown.
   */
  constructor(client: Client, options: WorkerOptions) {
    super();
    this.#setup = new Setup(client, options);
    this.#performing = new Performing({
      before: (job) => this.tell("beforePerform", job),
      failed: (job, thrown) => this.tell("failure", job, thrown),
      after: (job, end) => this.tell("afterPerform", job, end),
    });
    this.#hands = new Hands(Client.door(client), this.#open(), {
      listens: () => this.listenerCount("lockLost") > 0,
      lockLost: (job, reason) => this.tell("lockLost", job, reason),
    });
    this.#rounds = new Rounds(this.#hands, this.#performing, {
      before: () => this.#setup.order?.arrange(this.#hands.native),
      began: () => this.#watch.hurry(),
    });
    this.#taking = new Taking(this.#setup, this.#hands);
    this.#attending = new Attending(this.#attended(), this.#hands);
  }

  /** Its name as others see it: host:pid:8 hex digits. Another one once {@link run} or {@link next} begins. */
  get name(): string {
    return this.#hands.native.name;
  }

  /** How many handlers are under way, and jobs of {@link next} that are not ended. */
  get running(): number {
    return this.#hands.running.size + this.#hands.taken.size;
  }

  /**
   * Name the handler of a kind. To be called before {@link run}; the last one named for a kind counts. Jobs of a kind without
   * a handler are left to workers that have one; when there is none they fail in the group `unknown-kind:<kind>`.
   *
   * @param kind 1 to 255 bytes; or a {@link JobClass}, which has its handler.
   * @param handler called with the job; may return a promise.
   * @param options take the place of a job class's own.
   * @throws InvalidArgument for a handler that is not a function and a bad or unknown option; WrongState once the worker has
   *   begun to take jobs.
   */
  perform<Data = unknown>(kind: string, handler: Handler<Data>, options?: PerformOptions): this;
  perform<Data = unknown>(jobClass: JobClass<Data>, options?: PerformOptions): this;
  perform<Data>(what: string | JobClass<Data>, ...rest: [own?: unknown, options?: PerformOptions]): this {
    const jobClass = what instanceof JobClass ? what : undefined;
    const [own, options = {}] =
      jobClass === undefined ? rest : [jobClass.handler, rest[0] as PerformOptions | undefined];
    const kind = jobClass?.kind ?? text(what, "kind");
    const handler = callable(own, `handler of ${kind}`);
    const { timeout = jobClass?.timeout, backoff = jobClass?.backoff } = limitsOf(options);
    this.#early(`a handler for ${kind}`);
    this.#performing.handlers.set(kind, handler as Handler);
    this.#setup.limit(kind, timeout);
    this.#performing.backoffs.delete(kind);
    if (backoff !== undefined) {
      this.#performing.backoffs.set(kind, backoff);
    }
    return this;
  }

  /**
   * Run code around each handler, for example to measure, or to bring a database connection. The first that is named is
   * outermost. To be called before {@link run}.
   *
   * ```js
   * worker.use(async (job, next) => {
   *   const began = performance.now();
   *   try {
   *     return await next();
   *   } finally {
   *     timings.record(job.kind, performance.now() - began);
   *   }
   * });
   * ```
   *
   * @throws InvalidArgument for middleware that is not a function; WrongState once the worker has begun to take jobs.
   */
  use(middleware: Middleware): this {
    callable(middleware, "middleware");
    this.#early("middleware");
    this.#performing.layers.push(middleware);
    return this;
  }

  /** @internal For manyhands/testing. */
  static parts(worker: Worker): { client: Client; performing: Performing; queues: readonly string[] } {
    if (!(worker instanceof Worker)) {
      throw invalidArgument("worker must be a Worker of this package");
    }
    const { client, queues } = worker.#setup;
    return { client, performing: worker.#performing, queues };
  }

  /** @internal For manyhands/testing. What looks up the queues that these entries, or the worker's own, stand for. */
  static lookUp(worker: Worker, queues: unknown): () => Promise<string[]> {
    const native = queues === undefined ? worker.#hands.native : worker.#open({ queues });
    return () => settled(() => native.lookUp());
  }

  /** @internal For the command: no worker may begin before the program is loaded. */
  static async whileLoading<Loaded>(load: () => Promise<Loaded>): Promise<Loaded> {
    loading = true;
    try {
      return await load();
    } finally {
      loading = false;
    }
  }

  /** @internal For the command: what it was told, under the core's names, counts more than what the program says. */
  static adjust(worker: Worker, options: Readonly<Record<string, unknown>>): void {
    worker.#early("a setting");
    worker.#setup.adjust(options);
    worker.#hands.native = worker.#open();
  }

  /** @internal For the command. Milliseconds that a stop leaves to handlers, and those after TERM. */
  static endingTimes(worker: Worker): { shutdownTimeout: number; killTimeout: number } {
    return { shutdownTimeout: worker.#hands.native.shutdownTimeout(), killTimeout: worker.#setup.killTimeout };
  }

  /** @internal For the command. Shows what process listings are to say of it, from now on whenever that has changed. */
  static entitle(worker: Worker, show: (title: string) => void): void {
    worker.#attending.entitle(show);
  }

  get #state(): WorkerState {
    return this.#stopping !== undefined ? "stops" : this.paused ? "is paused" : "takes jobs";
  }

  #early(what: string): void {
    if (this.#begun) {
      throw wrongState(`the worker has started: ${what} comes too late`, null, null);
    }
  }

  /**
   * Reserve and perform jobs until the worker is stopped; at once, when that was before.
   *
   * @returns resolves when it has stopped: outcomes stored, unstarted jobs given back.
   * @throws InvalidArgument for an unknown option; WrongState while it runs; Closed when it was run or stopped before.
   */
  async run(options: RunOptions = {}): Promise<void> {
    const operation = "worker_run";
    const { signals = true } = coreOptions(options, { signals: "signals" }, operation);
    if (typeof signals !== "boolean") {
      throw invalidArgument("signals must be true or false", operation);
    }
    if (this.#ran && this.#stopping === undefined) {
      throw wrongState("the worker runs already", operation, null);
    }
    if (this.#ran || (this.#begun && this.#stopping !== undefined)) {
      throw closed("the worker was run or stopped before; make another one", operation);
    }
    if (this.#stopping !== undefined) {
      this.#ran = true;
      return this.#stopping;
    }
    this.#begin();
    this.#ran = true;
    sync(() => this.#hands.native.tellNews(() => this.#watch.call()));
    const unwatchSignals = signals && isMainThread ? onSignal(this.#attending.obey) : undefined;
    // process.exit ends no environment, so the native half would not hear of it.
    const unwatchExit = onExit(() => this.#hands.native.end());
    this.#watch.hurry();
    try {
      if (isMainThread) {
        this.#hands.native.watchHost(signals);
      }
      await this.#rounds.go(this.#setup.threads);
    } finally {
      await this.stop().finally(() => {
        this.#watch.end();
        this.#hands.native.unwatchHost();
        unwatchSignals?.();
        unwatchExit();
        this.#hands.look();
        this.#hands.native.hush();
      });
      if (isMainThread && this.#hands.running.size > 0) {
        native.endAtExit();
      }
      if (this.#attending.stuck) {
        process.exit(STUCK);
      }
    }
  }

  /**
   * Wait for a job and take it. For programs that do not use {@link run}. Its lease is renewed until it is ended by
   * {@link Job.complete}, {@link Job.fail}, …; {@link stop} ends the worker. Any number may be waited for at once. While one is,
   * the process stays alive.
   *
   * ```js
   * for (let job = await worker.next(); job !== null; job = await worker.next()) await job.complete(await work(job));
   * ```
   *
   * @returns null when the time is over or the worker is stopped.
   * @throws InvalidArgument for a bad or unknown option; what keeps the worker from its calls and cannot pass by itself, for
   *   example Denied.
   *
   * Source: core/src/worker/mod.rs
   */
  async next(options: NextOptions = {}): Promise<Job | null> {
    const { timeout_ms = null } = coreOptions(options, NEXT_OPTIONS, "worker_next");
    if (this.#stopping !== undefined) {
      return null;
    }
    this.#begin();
    return this.#taking.next(timeout_ms as number | null);
  }

  /**
   * Take no more jobs, wait for the handlers under way at most `shutdownTimeout`, store their outcomes, give back what was
   * not started. A handler that takes longer goes on while {@link run} returns, and may keep the process alive; its job is not
   * completed. After {@link run} on the main thread it is given back when the process exits, if all threads can be held for
   * that; else it is performed again when its lease runs out, which spends a retry. Jobs of {@link next} that are not ended are
   * waited for in the same way.
   *
   * @returns resolves when all this is done; safe to repeat. Not to be awaited in a handler, which it would wait for.
   */
  stop(): Promise<void> {
    return this.#stopWithin(this.#hands.native.shutdownTimeout());
  }

  /**
   * Take no new jobs until {@link resume}; jobs under way go on. What was reserved and not started is given back. {@link next}
   * waits on.
   */
  pause(): void {
    this.#paused = true;
    this.#hands.native.pause();
  }

  /** Take jobs again after a {@link pause}. */
  resume(): void {
    this.#paused = false;
    this.#hands.native.resume();
  }

  /** Whether it is paused, by this program or by {@link Client.order}. */
  get paused(): boolean {
    return this.#begun ? this.#hands.native.isPaused() : this.#paused;
  }

  /**
   * Interrupt the handlers under way, and go on: each one's {@link Job.signal} is aborted, with the reason `killed`. The job of
   * one that then throws is given back, no retry spent; what one returns is stored as ever.
   */
  killRunning(): void {
    this.#hands.native.killRunning();
    this.#hands.look();
  }

  /** A later call can only shorten the time. */
  #stopWithin(grace: number): Promise<void> {
    this.#rounds.end(grace);
    if (this.#ran && this.#stopping === undefined) {
      // Its end is looked for as often as that of handlers.
      this.#watch.hurry();
    }
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  #attended(): Attended {
    const worker = this;
    return {
      get name() {
        return worker.name;
      },
      get state() {
        return worker.#state;
      },
      get title() {
        const { queues, threads } = worker.#setup;
        return workerTitle(worker.#state, queues, threads, worker.#hands.running);
      },
      stop: () => this.#stopTold(this.#hands.native.shutdownTimeout()),
      stopNow: () => {
        this.#stopTold(this.#setup.killTimeout);
        this.killRunning();
      },
      pause: () => this.pause(),
      resume: () => this.resume(),
    };
  }

  /** Who tells it to stop does not wait; what the stop rejects with is told by run. */
  #stopTold(grace: number): void {
    this.#stopWithin(grace).catch(() => {});
  }

  /** Opened again, as others are told the kinds, which are known only now. */
  #begin(): void {
    if (loading) {
      throw wrongState("the command runs the worker itself: the application only exports it", "worker_run", null);
    }
    if (!this.#begun) {
      this.#hands.native = this.#open();
      if (this.#paused) {
        this.#hands.native.pause();
      }
      this.#begun = true;
      this.tell("start");
    }
  }

  #open(instead: object = {}): NativeWorker {
    return this.#setup.open(this.#performing.handlers.keys(), instead);
  }

  async #stop(): Promise<void> {
    try {
      if (this.#begun) {
        this.#hands.native.quiet();
        await this.#rounds.untilHandlersEnd(() => this.#attending.stuck);
        // Handlers that are still under way have had their time; what `next` gave has what is left of it.
        const waits = this.#taking.begun && this.#hands.running.size === 0;
        await settled(() => this.#hands.native.stop(waits ? this.#rounds.left : 0));
      }
    } finally {
      this.#taking.end();
      this.#hands.look();
      if (this.#begun) {
        this.tell("stop");
      }
    }
  }

  #seen(): Pace {
    this.#hands.look();
    this.#setup.order?.arrange(this.#hands.native);
    this.#attending.look();
    if (this.running > 0 || this.#hands.waits || this.#stopping !== undefined) {
      return "often";
    }
    return this.#setup.order === undefined ? "called" : "seldom";
  }
}
