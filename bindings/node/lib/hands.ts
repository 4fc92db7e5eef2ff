import type { Door } from "./door.js";
import { described, ENDING_NAMES, type Ending, errorEnding, outcomeJson, shortOutcome } from "./ending.js";
import { Internal, InvalidArgument, settled, sync, WrongState } from "./errors.js";
import { Exchange } from "./exchange.js";
import { Job, type JobOutcome } from "./job.js";
import type { NativeInterrupt, NativeJob, NativeRefused, NativeWorker } from "./native.js";
import type { Holder } from "./run.js";

const RELEASE = '{"release":{}}';

/** Jobs that are kept for the news of their refusals: as many as the core remembers of these. */
const MOST_UNANSWERED = 1_000;

/** Interrupts that may wait for their jobs: as many as jobs run at once. */
const MOST_UNTOLD = 1_000;

/**
 * Looks at an interrupt whose job is not here: one that has gone never comes, one on its way here comes with a next turn of the loop.
 * More than two, as a program that kills handlers looks as often as it likes in a turn.
 */
const MOST_LOOKS = 10;

/** Who is told that the lease of a job was lost, or its outcome refused. */
export interface LossListener {
  /** Whether anybody wants to know of the loss after the job's run. */
  listens(): boolean;
  lockLost(job: Job, reason: string): void;
}

/** The jobs that a worker has in hand: their outcomes on the way to the core, and the news of their leases on the way back. */
export class Hands implements Holder {
  readonly door: Door;
  /** Jobs whose handlers are under way. */
  readonly running = new Set<Job>();
  /** Jobs that were given to a loop of the program's own and that are not ended. */
  readonly taken = new Set<Job>();
  #native: NativeWorker;
  #exchange: Exchange;
  #listener: LossListener;
  /** Jobs whose outcome the engine may refuse, in the order of their hand-over, for who listens; null for one whose loss was told. */
  #unanswered = new Map<string, Job | null>();
  /** The same of those whose own method waits for the answer. */
  #awaited = new Map<string, Job | null>();
  /** What could not be told yet, and how often its job was not here. */
  #untold: { interrupt: NativeInterrupt; looks: number }[] = [];

  constructor(door: Door, native: NativeWorker, listener: LossListener) {
    this.door = door;
    this.#native = native;
    this.#exchange = new Exchange(native, this);
    this.#listener = listener;
  }

  get native(): NativeWorker {
    return this.#native;
  }

  /** Opened again when the worker begins. */
  set native(native: NativeWorker) {
    this.#native = native;
    this.#exchange = new Exchange(native, this);
  }

  /** A job that is in hand already, which is started by that; null when there is none. Never waits. */
  take(): Job | null {
    return this.#exchange.take();
  }

  reserved(job: NativeJob): Job {
    return Job.reserved(job, this);
  }

  /** Waits for the engine's answer. */
  async finish(job: Job, ending: Ending): Promise<JobOutcome> {
    const [token, known] = [job.token as string, key(job)];
    this.#remember(job, this.#awaited);
    try {
      const outcome = await settled(() => this.native.finishWait(job.jid, token, outcomeJson(ending)), ENDING_NAMES);
      this.taken.delete(job);
      return outcome as JobOutcome;
    } catch (error) {
      // One that the engine refused is out of hand, too: the next look hears of that.
      if (!(error instanceof InvalidArgument)) {
        this.taken.delete(job);
      }
      const kept = this.#awaited.get(known);
      if (kept !== undefined) {
        // Its refusal, if it is one, can be taken by now.
        this.#unanswered.set(known, kept);
      }
      throw error;
    } finally {
      this.#awaited.delete(known);
    }
  }

  async heartbeat(job: Job): Promise<number> {
    return settled(() => this.native.heartbeat(job.jid, job.token ?? ""));
  }

  /** Of a job that its own handler has ended by an operation that anybody may call. */
  drop(job: Job): void {
    this.taken.delete(job);
    try {
      // The engine passes over a release that comes too late; the runtime forgets the job.
      this.#exchange.finish(job.jid, job.token as string, RELEASE);
    } catch {
      // The worker has stopped.
    }
  }

  /** Its handler has ended so. Does not wait; never throws. */
  handOver(job: Job, ending: Ending): void {
    this.#remember(job, this.#unanswered);
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
    try {
      this.#send(job, ending);
    } catch (error) {
      if (!(error instanceof InvalidArgument || error instanceof Internal)) {
        throw error;
      }
      // What the handler returned or threw cannot be stored: that is the handler's error.
      this.#send(job, errorEnding(error));
    }
  }

  #send(job: Job, ending: Ending): void {
    sync(() => this.#exchange.finish(job.jid, job.token as string, shortOutcome(ending)), ENDING_NAMES);
  }

  #remember(job: Job, among: Map<string, Job | null>): void {
    if (!Job.isLost(job) && !this.#listener.listens()) {
      return;
    }
    among.set(key(job), Job.isLost(job) ? null : job);
    if (among.size > MOST_UNANSWERED) {
      const [oldest] = among.keys();
      among.delete(oldest as string);
    }
  }

  /** Whether it keeps jobs for answers that are to come. */
  get waits(): boolean {
    return this.#unanswered.size > 0;
  }

  /** Those of the kept jobs that are answered: all but the last that are not. */
  #answered(): string[] {
    const kept = this.#unanswered.size;
    return kept === 0 ? [] : [...this.#unanswered.keys()].slice(0, Math.max(0, kept - this.native.unanswered()));
  }

  /** Interrupts what should end, and tells of leases that were lost and outcomes that were refused, since the last look. */
  look(): void {
    const fresh = this.native.takeInterrupts().map((interrupt) => ({ interrupt, looks: 0 }));
    const untold = [...this.#untold, ...fresh];
    this.#untold = [];
    // Asked before what was refused: the refusals of these are among that.
    const answered = this.#answered();
    const refusals = this.native.takeRefused();
    const jobs = untold.length + refusals.length === 0 ? new Map<string, Job>() : this.#byKey();
    for (const { interrupt, looks } of untold) {
      this.#interrupt(interrupt, jobs.get(key(interrupt)), looks);
    }
    for (const refused of refusals) {
      this.#refused(refused, jobs.get(key(refused)));
    }
    for (const known of answered) {
      this.#unanswered.delete(known);
    }
  }

  /** `held`: the job, if it is still with this program, which has it no more. */
  #refused(refused: NativeRefused, held: Job | undefined): void {
    if (held !== undefined) {
      this.taken.delete(held);
    }
    const known = key(refused);
    const kept = this.#unanswered.get(known);
    const job = kept === undefined ? this.#awaited.get(known) : kept;
    this.#unanswered.delete(known);
    this.#awaited.delete(known);
    if (job === null) {
      return;
    }
    console.error(`manyhands: ${refused.operation} of job ${refused.jid} was refused: ${refused.reason}`);
    if (job !== undefined) {
      this.#listener.lockLost(job, refused.reason);
    }
  }

  #interrupt(interrupt: NativeInterrupt, job: Job | undefined, looks: number): void {
    const { reason } = interrupt;
    if (job === undefined || Job.leaving(job)) {
      // On its way here, or maybe on its way out: looked at again, but for one that has gone.
      if (looks < MOST_LOOKS) {
        this.#untold.push({ interrupt, looks: job === undefined ? looks + 1 : 0 });
        this.#untold.splice(0, this.#untold.length - MOST_UNTOLD);
      }
    } else if (reason === "killed" || reason === "timeout") {
      Job.interrupt(job, reason);
    } else if (Job.lose(job, reason)) {
      console.error(`manyhands: lock lost (${reason}): job ${job.jid} (${job.kind}) of queue ${job.queue}`);
      this.#listener.lockLost(job, reason);
    }
  }

  /** How many handlers a stop waits for; `stuck`: not for those that have had their time. */
  awaited(stuck: boolean): number {
    const timedOut = (job: Job) => stuck && Job.interrupted(job)?.reason === "timeout";
    return [...this.running].filter((job) => !timedOut(job)).length;
  }

  #byKey(): Map<string, Job> {
    return new Map([...this.running, ...this.taken].map((job) => [key(job), job]));
  }
}

/** What tells the runs of jobs apart. */
function key({ jid, token }: { readonly jid: string; readonly token: string | null }): string {
  return `${token} ${jid}`;
}
