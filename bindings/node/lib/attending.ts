import type { Hands } from "./hands.js";
import { Job } from "./job.js";
import type { Signal } from "./process.js";
import { describedJob, describedLoop, obeying, type Signalled } from "./signals.js";
import type { WorkerState } from "./title.js";

/** A worker, as those have it who want something of it. What it does for them it does later, if that takes time. */
export interface Attended extends Omit<Signalled, "described"> {
  readonly name: string;
  readonly state: WorkerState;
  /** What process listings are to say of it. */
  readonly title: string;
}

/** Has a worker do, while it runs, what others want: who sends signals, the master, an operator; and who looks at process listings. */
export class Attending {
  /** Does what a signal says. */
  readonly obey: (signal: Signal) => void;
  #worker: Attended;
  #hands: Hands;
  #stuck = false;
  /** Shows what it does. */
  #show: () => void = () => {};

  constructor(worker: Attended, hands: Hands) {
    this.#worker = worker;
    this.#hands = hands;
    const { stop, stopNow, pause, resume } = worker;
    this.obey = obeying({ stop, stopNow, pause, resume, described: () => this.#described() });
  }

  /** Whether a handler will not end. */
  get stuck(): boolean {
    return this.#stuck;
  }

  /** At what others want now. */
  look(): void {
    this.#leaveStuck();
    this.#obeyOthers();
    this.#show();
  }

  /** Shows the title, from now on whenever it has changed. */
  entitle(show: (title: string) => void): void {
    let shown = "";
    this.#show = () => {
      const { title } = this.#worker;
      if (title !== shown) {
        show(title);
        shown = title;
      }
    };
    this.#show();
  }

  /** A handler that does not end is left behind with the process: its neighbours are waited for. */
  #leaveStuck(): void {
    if (!this.#stuck && this.#hands.native.isStuck()) {
      this.#stuck = true;
      console.error("manyhands: a handler did not end after its timeout: the worker stops, and the process with it");
      this.#worker.stop();
    }
  }

  /** What an operator or the master wants, as far as the native half cannot do it alone. */
  #obeyOthers(): void {
    if (this.#worker.state !== "stops" && this.#hands.native.ordered() === "stop") {
      this.#worker.stop();
    }
    for (let name = this.#hands.native.takeSignal(); name !== null; name = this.#hands.native.takeSignal()) {
      this.obey(`SIG${name}`);
    }
  }

  #described(): string[] {
    const { name, state } = this.#worker;
    const jobs = [...this.#hands.running].map((job) => describedJob(job, Job.run(job)));
    return [`worker ${name} ${state}; under way: ${jobs.length}`, ...jobs, describedLoop()];
  }
}
