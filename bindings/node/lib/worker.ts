import { EventEmitter } from "node:events";
import { setImmediate } from "node:timers/promises";
import { isMainThread } from "node:worker_threads";
import { Client } from "./client.js";
import { ENDING_NAMES, type Ending, errorEnding, outcomeJson } from "./ending.js";
import { fromNative, InvalidArgument, invalidArgument, ManyhandsError, settled, sync } from "./errors.js";
import { type Holder, Job, type JobOutcome } from "./job.js";
import { type NativeJob, type NativeWorker, native } from "./native.js";
import { coreOptions, text } from "./options.js";
import { Outcome } from "./outcome.js";
import { die, onExit, onSignal, type StopSignal } from "./process.js";

/** Options of {@link Worker}. */
export interface WorkerOptions {
  /**
   * Queues to reserve from, 1 to 1000 names or patterns; with the strategy `ordered` the earlier go first.
   *
   * `mail-*` stands for the queues there are that match (`*`: any text), by name; `!mail-bulk` takes away what
   * it matches of the entries before it, or, as the first, of all queues; `@slow` stands for a saved list
   * ({@link Client.patterns}), `!@slow` for the opposite of each of its entries. Patterns are followed while the
   * worker runs; saved priorities come before the order here.
   */
  queues: readonly string[];
  /** How many handlers may be under way at once, 1 to 1000. Default 1. */
  concurrency?: number;
  /** How it chooses among its queues: `ordered` empties the earlier first, `round_robin` serves all alike. Default `ordered`. */
  strategy?: "ordered" | "round_robin";
  /** Milliseconds. How long a stop waits for handlers that are under way. Default 25,000. */
  shutdownTimeout?: number;
}

const WORKER_OPTIONS = {
  queues: "queues",
  concurrency: "threads",
  strategy: "strategy",
  shutdownTimeout: "shutdown_timeout_ms",
};

/** A worker as others see it, in the list of all: {@link Client.workers}. */
export interface WorkerStatus {
  /** host:pid:8 hex digits. */
  readonly name: string;
  /** Milliseconds. Since it was last heard of. */
  readonly silent: number;
  /** True when its supervisor said that it is dead. */
  readonly lost: boolean;
  /** How many jobs it has in hand, under leases that hold. */
  readonly running: number;
  /** How many jobs it has in hand whose leases have run out. */
  readonly stalled: number;
  /** What it says of itself: language, version, host, pid, threads, queues, kinds, running, quiet; null before its first pulse. */
  readonly status: Readonly<Record<string, unknown>> | null;
}

/** What the core says of the kinds that {@link Worker.perform} named. */
const KIND_NAMES = { kind: "kinds[" };

/** Options of {@link Worker.run}. */
export interface RunOptions {
  /**
   * Whether QUIT, TERM and INT stop the worker. QUIT does what {@link Worker.stop} does: no new jobs, and
   * `shutdownTimeout` for handlers under way. TERM and INT leave these 2 s, also when they come after QUIT; a second TERM or
   * INT ends the process now. Only the main thread gets signals. Default true.
   */
  signals?: boolean;
}

/**
 * Performs jobs of one kind. What it returns is stored as the job's result; `undefined` stores none.
 *
 * What it throws makes the job run again with growing delay until its retries are spent; then it fails in the group
 * `<kind>:<class of the error>`, after one of Manyhands' own errors in `<kind>:<name of its code>`: INVALID_ARGUMENT for a
 * result that JSON cannot hold. {@link Fail}, {@link Retry} and {@link Snooze} say what they say.
 */
// biome-ignore lint/suspicious/noConfusingVoidType: a handler need not return anything
export type Handler<Data = unknown> = (job: Job<Data>) => unknown | Promise<unknown> | void;

/** A job whose run counts for nothing. While its handler still runs, this is the {@link Job} that the handler has. */
export type LostJob = Pick<Job, "jid" | "kind" | "queue" | "token">;

/** The events of a {@link Worker}, for `on` and `once`. */
export interface WorkerEvents {
  /**
   * The lease of a job was lost while its handler ran, or its outcome was refused; nothing of that run is stored.
   * The reason is expired, cancelled, replaced, finished or unknown.
   */
  lockLost: [job: LostJob, reason: string];
}

/** The reasons of a lost lease; a refused outcome may have others. */
const LOST: ReadonlySet<string> = new Set(["expired", "cancelled", "replaced", "finished", "unknown"]);

/** Milliseconds. How often the worker looks, in memory, for leases that were lost. */
const LOOK_EVERY = 250;

/** Milliseconds. What TERM and INT leave to handlers under way. */
const KILL_TIMEOUT = 2_000;

/** Milliseconds. What setTimeout can wait; longer waits are several. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** Milliseconds. How long jobs are started before the event loop has its turn. */
const TURN = 5;

/** Outcomes that may be unanswered at once: the core takes no more jobs at 1,000, and sends 1,000 in a call. */
const MOST_UNANSWERED = 2_000;

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
export class Worker extends EventEmitter<WorkerEvents> {
  #client: Client;
  #options: Record<string, unknown>;
  #handlers = new Map<string, Handler>();
  #native: NativeWorker;
  #holder: Holder;
  #phase: "new" | "running" | "stopped" = "new";
  #stopping: Promise<void> | undefined;
  /** Jobs whose handlers are under way. */
  #running = new Set<Job>();
  /** Of jobs whose outcome the engine may not have answered yet, what a refusal tells; oldest first. */
  #unanswered = new Map<string, LostJob>();
  /** Wakes {@link run} when a handler has ended, or the worker has stopped. */
  #wake: (() => void) | undefined;
  /** Wakes {@link stop} when a handler has ended, or the time has become shorter. */
  #wakeStop: (() => void) | undefined;
  /** Whether jobs are being waited for: those that arrive are still performed. */
  #reserving = false;
  /** When a stop gives handlers up, by the monotonic clock. */
  #deadline = Number.POSITIVE_INFINITY;
  /** Whether TERM or INT has come. */
  #hurried = false;

  /**
   * Checks the options; takes no job before {@link run}.
   *
   * @throws InvalidArgument naming the option that is missing, wrong or unknown.
   */
  constructor(client: Client, options: WorkerOptions) {
    super();
    if (!(client instanceof Client)) {
      throw invalidArgument("client must be a Client of this package");
    }
    this.#client = client;
    this.#options = { ...coreOptions(options, WORKER_OPTIONS, null), language: "node" };
    this.#native = this.#open();
    this.#holder = {
      door: Client.door(client),
      finish: (job, ending) => this.#finishAndWait(job, ending),
      heartbeat: (job) => settled(() => this.#native.heartbeat(job.jid, job.token ?? "")),
    };
  }

  /** Its name as others see it: host:pid:8 hex digits. Another one once {@link run} begins. */
  get name(): string {
    return this.#native.name;
  }

  /** How many handlers are under way. */
  get running(): number {
    return this.#running.size;
  }

  /**
   * Name the handler of a kind. To be called before {@link run}; the last one named for a kind counts.
   *
   * @param kind 1 to 255 bytes.
   * @param handler called with the job; may return a promise.
   * @throws InvalidArgument for a handler that is not a function, and once the worker runs.
   */
  perform<Data = unknown>(kind: string, handler: Handler<Data>): this {
    if (typeof handler !== "function") {
      throw invalidArgument(`handler of ${text(kind, "kind")} must be a function, not ${typeof handler}`);
    }
    if (this.#phase !== "new") {
      throw invalidArgument(`kind ${kind} comes too late: the worker was run or stopped before`);
    }
    this.#handlers.set(text(kind, "kind"), handler as Handler);
    return this;
  }

  /**
   * Reserve and perform jobs until the worker is stopped.
   *
   * @returns resolves when it has stopped: outcomes stored, unstarted jobs given back.
   * @throws InvalidArgument for an unknown option, when no handler is named, and when it was run before.
   */
  async run(options: RunOptions = {}): Promise<void> {
    const operation = "worker_run";
    const { signals = true } = coreOptions(options, { signals: "signals" }, operation);
    if (typeof signals !== "boolean") {
      throw invalidArgument("signals must be true or false", operation);
    }
    if (this.#phase !== "new") {
      throw invalidArgument("run comes too late: the worker was run or stopped before", operation);
    }
    if (this.#handlers.size === 0) {
      throw invalidArgument("perform was not called: a worker needs at least one handler", operation);
    }
    // Opened again, as others are told the kinds, which are known only now.
    this.#native = this.#open();
    this.#phase = "running";
    const unwatchSignals = signals && isMainThread ? onSignal((signal) => this.#stopBySignal(signal)) : undefined;
    // process.exit ends no environment, so the native half would not hear of it.
    const unwatchExit = onExit(() => this.#native.end());
    const look = setInterval(() => this.#look(), LOOK_EVERY);
    try {
      await this.#reserveAndPerform();
    } finally {
      await this.stop().finally(() => {
        clearInterval(look);
        unwatchSignals?.();
        unwatchExit();
        this.#look();
      });
    }
  }

  /**
   * Take no more jobs, wait for the handlers under way at most `shutdownTimeout`, store their outcomes, give back what was
   * not started. A handler that takes longer goes on while {@link run} returns, and may keep the process alive; its job is
   * neither completed nor given back, but performed again when its lease runs out, which spends a retry.
   *
   * @returns resolves when all this is done; safe to repeat. Not to be awaited in a handler, which it would wait for.
   */
  stop(): Promise<void> {
    return this.#stopWithin(this.#native.shutdownTimeout());
  }

  /** A later call can only shorten the time. */
  #stopWithin(grace: number): Promise<void> {
    this.#deadline = Math.min(this.#deadline, performance.now() + grace);
    this.#wakeStop?.();
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  #stopBySignal(signal: StopSignal): void {
    if (signal === "SIGQUIT") {
      void this.stop();
    } else if (this.#hurried) {
      die(signal);
    } else {
      this.#hurried = true;
      void this.#stopWithin(KILL_TIMEOUT);
    }
  }

  #open(): NativeWorker {
    const options = JSON.stringify({ ...this.#options, kinds: [...this.#handlers.keys()] });
    return sync(() => new native.Worker(Client.door(this.#client).native, options), {
      ...WORKER_OPTIONS,
      ...KIND_NAMES,
    });
  }

  async #stop(): Promise<void> {
    const wasRunning = this.#phase === "running";
    this.#phase = "stopped";
    try {
      if (wasRunning) {
        this.#native.quiet();
        await this.#untilHandlersEnd();
        await settled(() => this.#native.stop());
      }
    } finally {
      this.#wake?.();
    }
  }

  /** Or until the time that they have is over. */
  async #untilHandlersEnd(): Promise<void> {
    while (this.#reserving || this.#running.size > 0) {
      const left = this.#deadline - performance.now();
      if (left <= 0) {
        return;
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(left, LONGEST_TIMER));
        this.#wakeStop = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  async #reserveAndPerform(): Promise<void> {
    const most = (this.#options.threads as number | undefined) ?? 1;
    let turnBegan = performance.now();
    for (;;) {
      await this.#untilFewerRun(most);
      if (this.#phase === "stopped") {
        return this.#stopping;
      }
      // Handlers that never wait would keep timers and sockets from their turn as long as there are jobs.
      if (performance.now() - turnBegan > TURN) {
        await setImmediate();
        turnBegan = performance.now();
      }
      const free = most - this.#running.size;
      const jobs = this.#native.take(free);
      if (jobs.length > 0) {
        this.#start(jobs);
      } else if (await this.#startNext(free)) {
        turnBegan = performance.now();
      } else {
        return;
      }
    }
  }

  #start(jobs: readonly NativeJob[]): void {
    for (const job of jobs) {
      void this.#perform(Job.reserved(job, this.#holder));
    }
  }

  /** Waits for jobs and starts them. False once there will be none. */
  async #startNext(free: number): Promise<boolean> {
    this.#reserving = true;
    try {
      const jobs = await settled(() => this.#native.next(free));
      this.#start(jobs ?? []);
      return jobs !== null;
    } finally {
      this.#reserving = false;
      this.#wakeStop?.();
    }
  }

  async #untilFewerRun(most: number): Promise<void> {
    while (this.#running.size >= most && this.#phase === "running") {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async #perform(job: Job): Promise<void> {
    this.#running.add(job);
    const ending = await this.#handle(job);
    this.#running.delete(job);
    if (!Job.ended(job)) {
      this.#handOver(job, ending);
    }
    this.#wake?.();
    this.#wakeStop?.();
  }

  /** Runs the handler of the job; never throws. */
  async #handle(job: Job): Promise<Ending> {
    const handler = this.#handlers.get(job.kind);
    if (handler === undefined) {
      return { verb: "unknown_kind", fields: {}, raw: {} };
    }
    try {
      return Job.returned(job, await handler(job));
    } catch (thrown) {
      return thrown instanceof Outcome ? { verb: thrown.verb, fields: thrown.fields(), raw: {} } : errorEnding(thrown);
    }
  }

  #handOver(job: Job, ending: Ending): void {
    const token = job.token as string;
    if (!Job.isLost(job)) {
      this.#remember(job);
    }
    try {
      try {
        this.#native.finish(job.jid, token, outcomeJson(ending));
      } catch (refused) {
        const error = fromNative(refused, ENDING_NAMES);
        if (!(error instanceof InvalidArgument)) {
          throw error;
        }
        // What the handler returned or threw cannot be stored: that is the handler's error.
        this.#native.finish(job.jid, token, outcomeJson(errorEnding(error)));
      }
    } catch (thrown) {
      const error = thrown instanceof ManyhandsError ? thrown : fromNative(thrown);
      console.error(`manyhands: the outcome of job ${job.jid} (${job.kind}) is not stored: ${error}`);
    }
  }

  async #finishAndWait(job: Job, ending: Ending): Promise<JobOutcome> {
    const token = job.token as string;
    const outcome = await settled(() => this.#native.finishWait(job.jid, token, outcomeJson(ending)), ENDING_NAMES);
    return outcome as JobOutcome;
  }

  #remember({ jid, kind, queue, token }: Job): void {
    this.#unanswered.set(`${token} ${jid}`, { jid, kind, queue, token });
    if (this.#unanswered.size > MOST_UNANSWERED) {
      const [oldest] = this.#unanswered.keys();
      this.#unanswered.delete(oldest as string);
    }
  }

  /** Tells of leases that were lost since the last look. */
  #look(): void {
    for (const job of this.#running) {
      const reason = this.#native.lost(job.jid, job.token as string);
      if (reason !== null && Job.lose(job, reason)) {
        this.#lockLost(job, reason);
      }
    }
    for (const { jid, token, operation, reason } of this.#native.takeRefused()) {
      const key = `${token} ${jid}`;
      const job = this.#unanswered.get(key);
      this.#unanswered.delete(key);
      if (!LOST.has(reason)) {
        console.error(`manyhands: ${operation} of job ${jid} was refused, the job is retried: ${reason}`);
      } else if (job !== undefined) {
        this.#lockLost(job, reason);
      }
    }
  }

  #lockLost(job: LostJob, reason: string): void {
    console.error(`manyhands: lock lost (${reason}): job ${job.jid} (${job.kind}) of queue ${job.queue}`);
    this.emit("lockLost", job, reason);
  }
}
