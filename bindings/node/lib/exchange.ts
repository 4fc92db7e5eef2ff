import { Job } from "./job.js";
import type { NativeFinish, NativeMake, NativeTake, NativeWorker } from "./native.js";
import type { Holder } from "./run.js";

/** Jobs out, outcomes in: what is called of a native worker for every job. */
export class Exchange {
  /** Hands an outcome over. Without one the job is completed, and has no result. */
  readonly finish: NativeFinish;
  #take: NativeTake;
  #holder: Holder;
  // Of the job taken last.
  #kind = "";
  #queue = "";
  #worker = "";

  constructor(native: NativeWorker, holder: Holder) {
    this.finish = native.finisher();
    this.#take = native.taker();
    this.#holder = holder;
  }

  /** A job that is in hand already, which is started by that; null when there is none. Never waits. */
  take(): Job | null {
    return this.#take(this.#made);
  }

  #made: NativeMake<Job> = (jid, kind, queue, data, token, putAt, worker, said) => {
    this.#kind = kind ?? this.#kind;
    this.#queue = queue ?? this.#queue;
    this.#worker = worker ?? this.#worker;
    return Job.reserved([jid, this.#kind, this.#queue, data, token, putAt, this.#worker, said], this.#holder);
  };
}
