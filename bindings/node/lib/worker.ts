import { captureRejectionSymbol, EventEmitter } from "node:events";
import { setImmediate } from "node:timers/promises";
import { isMainThread } from "node:worker_threads";
import { Client } from "./client.js";
import { chosenEnding, described, ENDING_NAMES, type Ending, errorEnding, outcomeJson } from "./ending.js";
import { closed, Internal, InvalidArgument, invalidArgument, settled, sync, WrongState, wrongState } from "./errors.js";
import { type Holder, Job, type JobOutcome } from "./job.js";
import { type NativeJob, type NativeWorker, native } from "./native.js";
import { coreOptions, text } from "./options.js";
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
  /** What it says of itself: language, version, host, pid, threads, queues, kinds, running, quiet, paused, since_ms
   * (how long it lives), memory (bytes), jobs (at most 100 it performs: jid, kind, queue, since_ms); null before its first pulse. */
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

/** Options of {@link Worker.next}. */
export interface NextOptions {
  /** Milliseconds. How long to wait, 0 or more, a fraction is rounded. Default: until there is a job or the worker is stopped. */
  timeout?: number;
}

const NEXT_OPTIONS = { timeout: "timeout_ms" };

/**
 * Performs jobs of one kind. What it returns is stored as the job's result; `undefined` stores none.
 *
 * What it throws makes the job run again with growing delay until its retries are spent; then it fails in the group
 * `<kind>:<class of the error>`, after one of Manyhands' own errors in `<kind>:<name of its code>`: INVALID_ARGUMENT for a
 * result that JSON cannot hold. It is written to the console. {@link Fail}, {@link Retry} and {@link Snooze} say what they say.
 */
// biome-ignore lint/suspicious/noConfusingVoidType: a handler need not return anything
export type Handler<Data = unknown> = (job: Job<Data>) => unknown | Promise<unknown> | void;

/** The events of a {@link Worker}, for `on` and `once`. */
export interface WorkerEvents {
  /**
   * The lease of a job was lost while its handler ran, or its outcome was refused; nothing of that run is stored. It is
   * written to the console too, as is what a listener throws.
   *
   * The reason is expired, cancelled, replaced, finished or unknown for a lost lease; else what the engine said of an outcome
   * that it could not take, such as a result larger than `max-data`, for which the job runs again.
   */
  lockLost: [job: Job, reason: string];
}

const RELEASE = '{"release":{}}';

/** Milliseconds. How often the worker looks, in memory, for leases that were lost. */
const LOOK_EVERY = 250;

/** Milliseconds. What TERM and INT leave to handlers under way. */
const KILL_TIMEOUT = 2_000;

/** Milliseconds. What setTimeout can wait; longer waits are several. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** Milliseconds. How long jobs are started before the event loop has its turn. */
const TURN = 5;

/** Outcomes that may be unanswered at once: the core takes no more jobs at 1,000. */
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
  /** Whether it has begun to take jobs. */
  #begun = false;
  #ran = false;
  #stopping: Promise<void> | undefined;
  /** Jobs whose handlers are under way. */
  #running = new Set<Job>();
  /** Jobs that {@link next} gave and that are not ended. */
  #taken = new Set<Job>();
  /** Looks for those that are lost, while there are any. */
  #watch: NodeJS.Timeout | undefined;
  #unwatchExit: (() => void) | undefined;
  /** Jobs whose outcome the engine may not have answered yet, for who listens to refusals; null for one whose loss was told. */
  #unanswered = new Map<string, Job | null>();
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
    super({ captureRejections: true });
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
      drop: (job) => this.#drop(job),
    };
  }

  /** Its name as others see it: host:pid:8 hex digits. Another one once {@link run} or {@link next} begins. */
  get name(): string {
    return this.#native.name;
  }

  /** How many handlers are under way, and jobs of {@link next} that are not ended. */
  get running(): number {
    return this.#running.size + this.#taken.size;
  }

  /**
   * Name the handler of a kind. To be called before {@link run}; the last one named for a kind counts. Jobs of a kind without
   * a handler are left to workers that have one; when there is none they fail in the group `unknown-kind:<kind>`.
   *
   * @param kind 1 to 255 bytes.
   * @param handler called with the job; may return a promise.
   * @throws InvalidArgument for a handler that is not a function; WrongState once the worker has begun to take jobs.
   */
  perform<Data = unknown>(kind: string, handler: Handler<Data>): this {
    if (typeof handler !== "function") {
      throw invalidArgument(`handler of ${text(kind, "kind")} must be a function, not ${typeof handler}`);
    }
    if (this.#begun) {
      throw wrongState(`the worker has started: a handler for ${kind} comes too late`, null, null);
    }
    this.#handlers.set(text(kind, "kind"), handler as Handler);
    return this;
  }

  /**
   * Reserve and perform jobs until the worker is stopped; at once, when that was before.
   *
   * @returns resolves when it has stopped: outcomes stored, unstarted jobs given back.
   * @throws InvalidArgument for an unknown option; Closed when it was run before.
   */
  async run(options: RunOptions = {}): Promise<void> {
    const operation = "worker_run";
    const { signals = true } = coreOptions(options, { signals: "signals" }, operation);
    if (typeof signals !== "boolean") {
      throw invalidArgument("signals must be true or false", operation);
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
    if (this.#unwatchExit === undefined) {
      // The native half of a worker that nobody stops is freed with it.
      const native = new WeakRef(this.#native);
      this.#unwatchExit = onExit(() => native.deref()?.end());
    }
    let [native] = this.#native.take(1);
    if (native === undefined) {
      [native] = await settled(() => this.#native.nextOne(timeout_ms as number | null));
    }
    return native === undefined ? null : this.#take(Job.reserved(native, this.#holder));
  }

  /**
   * Take no more jobs, wait for the handlers under way at most `shutdownTimeout`, store their outcomes, give back what was
   * not started. A handler that takes longer goes on while {@link run} returns, and may keep the process alive; its job is
   * neither completed nor given back, but performed again when its lease runs out, which spends a retry. Jobs of {@link next}
   * that are not ended are waited for in the same way.
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

  /** Opened again, as others are told the kinds, which are known only now. */
  #begin(): void {
    if (!this.#begun) {
      this.#native = this.#open();
      this.#begun = true;
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
    try {
      if (this.#begun) {
        this.#native.quiet();
        await this.#untilHandlersEnd();
        // Handlers that are still under way have had their time; what `next` gave has what is left of it.
        const waits = this.#unwatchExit !== undefined && this.#running.size === 0;
        const left = waits ? Math.max(0, this.#deadline - performance.now()) : 0;
        await settled(() => this.#native.stop(left));
      }
    } finally {
      this.#unwatchExit?.();
      clearInterval(this.#watch);
      this.#look();
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
      if (this.#stopping !== undefined) {
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
    while (this.#running.size >= most && this.#stopping === undefined) {
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
    Job.letGo(job);
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
      const result = await handler(job);
      // What a handler returns that has ended its job is of no use, so it need not be one that can be stored.
      return Job.returned(job, Job.ended(job) ? undefined : result);
    } catch (thrown) {
      return this.#threw(job, thrown);
    }
  }

  #threw(job: Job, thrown: unknown): Ending {
    let error = thrown;
    try {
      const chosen = chosenEnding(thrown);
      if (chosen !== undefined) {
        return chosen;
      }
    } catch (another) {
      error = another;
    }
    console.error(`manyhands: job ${job.jid} (${job.kind}) threw ${described(error)}`);
    return errorEnding(error);
  }

  #handOver(job: Job, ending: Ending): void {
    this.#remember(job);
    try {
      this.#tell(job, ending);
    } catch (refused) {
      // Of a job that its handler ended itself and was refused: that is told, and the job out of hand.
      if (!(refused instanceof WrongState)) {
        console.error(`manyhands: the outcome of job ${job.jid} (${job.kind}) is not stored: ${described(refused)}`);
      }
    }
  }

  #tell(job: Job, ending: Ending): void {
    const tell = (ending: Ending) =>
      sync(() => this.#native.finish(job.jid, job.token as string, outcomeJson(ending)), ENDING_NAMES);
    try {
      tell(ending);
    } catch (error) {
      if (!(error instanceof InvalidArgument || error instanceof Internal)) {
        throw error;
      }
      // What the handler returned or threw cannot be stored: that is the handler's error.
      tell(errorEnding(error));
    }
  }

  /** Of a job that its own handler has ended by an operation that anybody may call. */
  #drop(job: Job): void {
    this.#taken.delete(job);
    try {
      // The engine passes over a release that comes too late; the runtime forgets the job.
      this.#native.finish(job.jid, job.token as string, RELEASE);
    } catch {
      // The worker has stopped.
    }
  }

  async #finishAndWait(job: Job, ending: Ending): Promise<JobOutcome> {
    const token = job.token as string;
    this.#remember(job);
    try {
      const outcome = await settled(() => this.#native.finishWait(job.jid, token, outcomeJson(ending)), ENDING_NAMES);
      this.#taken.delete(job);
      return outcome as JobOutcome;
    } catch (error) {
      if (!(error instanceof InvalidArgument)) {
        this.#taken.delete(job);
      }
      throw error;
    }
  }

  #remember(job: Job): void {
    if (!Job.isLost(job) && this.listenerCount("lockLost") === 0) {
      return;
    }
    this.#unanswered.set(key(job), Job.isLost(job) ? null : job);
    if (this.#unanswered.size > MOST_UNANSWERED) {
      const [oldest] = this.#unanswered.keys();
      this.#unanswered.delete(oldest as string);
    }
  }

  #take(job: Job): Job {
    this.#taken.add(job);
    this.#watch ??= setInterval(() => this.#look(), LOOK_EVERY).unref();
    return job;
  }

  /** Tells of leases that were lost since the last look. */
  #look(): void {
    for (const job of [...this.#running, ...this.#taken]) {
      const reason = this.#native.lost(job.jid, job.token as string);
      if (reason !== null && Job.lose(job, reason)) {
        console.error(`manyhands: lock lost (${reason}): job ${job.jid} (${job.kind}) of queue ${job.queue}`);
        this.#lockLost(job, reason);
      }
    }
    for (const refused of this.#native.takeRefused()) {
      const job = this.#unanswered.get(key(refused));
      this.#unanswered.delete(key(refused));
      if (job === null) {
        continue;
      }
      console.error(`manyhands: ${refused.operation} of job ${refused.jid} was refused: ${refused.reason}`);
      if (job !== undefined) {
        this.#lockLost(job, refused.reason);
      }
    }
    if (this.#taken.size === 0) {
      // Only while it watches over jobs is it kept from the garbage collector.
      clearInterval(this.#watch);
      this.#watch = undefined;
    }
  }

  #lockLost(job: Job, reason: string): void {
    try {
      this.emit("lockLost", job, reason);
    } catch (thrown) {
      this.#listenerThrew(job, thrown);
    }
  }

  /** @internal A listener rejected: called by EventEmitter. */
  override [captureRejectionSymbol](thrown: unknown, _event: unknown, ...[job]: unknown[]): void {
    this.#listenerThrew(job as Job, thrown);
  }

  /** It must not end the process. */
  #listenerThrew(job: Job, thrown: unknown): void {
    console.error(`manyhands: a lockLost listener threw for job ${job.jid}: ${described(thrown)}`);
  }
}

/** What tells the runs of jobs apart. */
function key({ jid, token }: { readonly jid: string; readonly token: string | null }): string {
  return `${token} ${jid}`;
}
