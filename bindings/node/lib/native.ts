// The native module, as this package uses it. What it does is said in src/*.rs; here are only the shapes.
import { createRequire } from "node:module";
import { isMainThread } from "node:worker_threads";

/** One code of the core's list. */
export interface NativeCode {
  readonly code: number;
  readonly name: string;
  readonly class: string;
  readonly retryable: boolean;
}

/** A job under a lease; `data` is JSON text. `said` is not there when its put said nothing more and no retry was spent. */
export type NativeJob = readonly [
  jid: string,
  kind: string,
  queue: string,
  data: string,
  token: string,
  putAtMs: number,
  worker: string,
  said?: NativeSaid | null,
];

/** Makes a job of the fields of a {@link NativeJob}; kind, queue and worker are null when they are those of the job before. */
export type NativeMake<Made> = (
  jid: string,
  kind: string | null,
  queue: string | null,
  data: string,
  token: string,
  putAtMs: number,
  worker: string | null,
  said: NativeSaid | null,
) => Made;

/** What the put of a job may say. */
export interface NativeSaid {
  readonly priority: number;
  readonly retries: number;
  readonly remaining: number;
  readonly tags: readonly string[];
  readonly route: readonly string[];
  readonly throttles: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  /** Absent when its put did not say how long a run may take. */
  readonly timeoutMs?: number;
  /** JSON. Absent when its put did not say how long it waits after an error. */
  readonly backoff?: string;
  /** Absent when no recurring job put it. */
  readonly parent?: string;
  readonly tracked: boolean;
}

/** A job as stored, or a recurring one: its payload and its result as they are, the other fields as one JSON object. */
export interface NativeView {
  readonly data: string;
  /** Absent when there is none. */
  readonly result?: string;
  readonly rest: string;
}

/** Several jobs, null for each that there is not, and the other members of the reply as one JSON object. */
export interface NativeViews {
  readonly jobs: (NativeView | null)[];
  readonly rest: string;
}

/** An outcome that the engine refused after the handler had ended. */
export interface NativeRefused {
  readonly jid: string;
  readonly token: string;
  readonly operation: string;
  readonly reason: string;
}

/** Why a running handler should end. */
export interface NativeInterrupt {
  readonly jid: string;
  readonly token: string;
  readonly reason: string;
}

export interface NativeEvents {
  /** How often events may have been missed. */
  readonly gaps: number;
  /** Resolves when the server listens. */
  ready(): Promise<void>;
  /** Waits for events, each as JSON; null once nothing more will come. */
  next(): Promise<string[] | null>;
  close(): void;
}

export interface NativeClient {
  readonly url: string;
  readonly namespace: string;
  call(operation: string, args: string): Promise<string>;
  /** `jobs` is a JSON list; so is the answer. */
  put(jobs: string): Promise<string>;
  /** `worker` null: under the client's own name. */
  reserve(queue: string, limit: number, worker: string | null): Promise<NativeJob[]>;
  /** An operation that answers one job, its payload as it is. */
  view(operation: string, args: string): Promise<NativeView | null>;
  /** An operation that answers several jobs. */
  views(operation: string, args: string): Promise<NativeViews>;
  /** Begins to listen; `options` are JSON. */
  events(options: string): NativeEvents;
  close(): Promise<void>;
}

/** Starts a job that is in hand already: what `make` makes of it; null when there is none. Never waits. */
export type NativeTake = <Made>(make: NativeMake<Made>) => Made | null;

/** Hands an outcome over. Without one the job is completed, and has no result. */
export type NativeFinish = (jid: string, token: string, outcome: string | undefined) => void;

export interface NativeWorker {
  readonly name: string;
  /** What is called for every job are functions of their own: of a method the native half must first prove its `this`. */
  taker(): NativeTake;
  finisher(): NativeFinish;
  /** Waits for jobs, at most `limit`; null once the worker is stopped. One call at a time. */
  next(limit: number): Promise<NativeJob[] | null>;
  /** Waits for one job; none when the time is over (null: never) or the worker is stopped. Any number of calls at a time. */
  nextOne(timeoutMs: number | null): Promise<NativeJob[]>;
  finishWait(jid: string, token: string, outcome: string): Promise<string>;
  heartbeat(jid: string, token: string): Promise<number>;
  takeRefused(): NativeRefused[];
  /** Outcomes that the engine has not answered: the last ones that were handed over. */
  unanswered(): number;
  /** What running handlers must be told since the last call: that of a lost lease, `timeout` or `killed`. Each once. */
  takeInterrupts(): NativeInterrupt[];
  /**
   * From now on `told` is called when there is something to look at: `takeInterrupts` (but `timeout`), `takeRefused`, `isPaused`,
   * `ordered`, `takeSignal`. Until {@link hush} the process stays alive for that.
   */
  tellNews(told: () => void): void;
  hush(): void;
  /** Every running handler gets an interrupt `killed`; its job is still in hand. */
  killRunning(): void;
  /** Takes no jobs until it is resumed: `next` waits on, and unstarted jobs are given back. */
  pause(): void;
  resume(): void;
  isPaused(): boolean;
  /** What an operator asked last: `quiet`, `pause`, `resume` or `stop`, of which the host does only the last. */
  ordered(): string | null;
  /** A handler did not end within `kill_timeout_ms` after its interrupt `timeout`: the process should. */
  isStuck(): boolean;
  /**
   * Until {@link unwatchHost} the native half ends the process when JavaScript cannot, because a handler never gives the event loop
   * back: at its timeout, and, with `signals`, when signals say so; also at a second TERM or INT. To be called when these have
   * listeners.
   */
  watchHost(signals: boolean): void;
  /** To be called before the listeners are taken away. */
  unwatchHost(): void;
  /** The oldest signal of the master that nobody took, and that the native half does not obey alone. */
  takeSignal(): "QUIT" | "TERM" | "TTIN" | null;
  /** The queues that its entries stand for now. */
  serving(): string[];
  /** The same, looked up now: also of a worker that has not begun. */
  lookUp(): Promise<string[]>;
  /** Asks these of them from now on, in this order. */
  setOrder(queues: string[]): void;
  /** From now on there are no new jobs: `next` answers null, and unstarted jobs are given back. */
  quiet(): void;
  /**
   * Waits so many milliseconds for jobs under way; resolves when all outcomes are stored. Jobs that are under way even then
   * are left to their leases.
   */
  stop(timeoutMs: number): Promise<void>;
  /** Milliseconds that a stop leaves to handlers: the option `shutdown_timeout_ms`. */
  shutdownTimeout(): number;
  /** Stores outcomes and gives unstarted jobs back, now; started jobs are left to their leases. Blocks, 3 s at most. */
  end(): void;
}

/** A master of worker processes that are programs of their own. */
export interface NativeSupervisor {
  /**
   * Keeps processes of a program until a signal ends it; resolves with the status to end with. `told` is called with how the
   * service does, in a few words, whenever that has changed.
   */
  keep(program: string, args: string[], told: (status: string) => void): Promise<number>;
  /** The master got this signal: QUIT, TERM, INT, USR1, USR2, CONT, TTIN or HUP. */
  signal(name: string): void;
}

interface NativeModule {
  version(): string;
  codes(): NativeCode[];
  /** Refuses what a put of the jobs of a JSON list would refuse before it asks Redis. `operation`: what its errors say of where. */
  checkPuts(jobs: string, operation: string | null): void;
  Client: new (url: string | null, options: string) => NativeClient;
  Worker: new (client: NativeClient, options: string) => NativeWorker;
  /** `flags`: a JSON object of texts. */
  Supervisor: new (
    client: NativeClient,
    flags: string,
  ) => NativeSupervisor;
  /** The settings that flags and the environment give, as JSON. */
  workSettings(flags: string): string;
  /** The list of settings, as JSON. */
  workSettingsTable(): string;
  /** When the process exits while handlers go on, what they have begun is given back. */
  endAtExit(): void;
  /** The threads that there are now and block all signals run no handler. */
  spareRuntimeThreads(): void;
}

function load(): NativeModule {
  const platform = `${process.platform}-${process.arch}`;
  try {
    return createRequire(import.meta.url)(`../prebuilt/${platform}/manyhands.node`) as NativeModule;
  } catch (cause) {
    throw new Error(
      `manyhands has no native module for ${platform} in this installation; ` +
        "build one from a checkout with `npm ci && npm pack` in bindings/node",
      { cause },
    );
  }
}

export const native: NativeModule = load();

if (isMainThread) {
  native.spareRuntimeThreads();
}
