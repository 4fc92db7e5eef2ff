import type { Job } from "./job.js";
import type { Signal } from "./process.js";

/** What a signal asks of a worker. */
export interface Signalled {
  stop(): void;
  /** Stop, and leave handlers only so long. */
  stopNow(): void;
  pause(): void;
  resume(): void;
  /** What it does now, a line each. */
  described(): string[];
}

/** What has the worker do what a signal asks for, whoever brings it: the system, or the master by a line. */
export function obeying(worker: Signalled): (signal: Signal) => void {
  return (signal) => {
    switch (signal) {
      case "SIGQUIT":
        return worker.stop();
      case "SIGUSR2":
        return worker.pause();
      case "SIGCONT":
        return worker.resume();
      case "SIGTTIN":
        return worker.described().forEach((line) => {
          console.error(`manyhands: ${line}`);
        });
      default:
        return worker.stopNow();
    }
  };
}

/** A job under way, for the log. */
export function describedJob(job: Job, since: number): string {
  return `job ${job.jid} (${job.kind}) of queue ${job.queue} runs for ${since} ms`;
}

/**
 * What the event loop waits for: the nearest that JavaScript has to a stack of each handler. A handler that waits has none, and
 * while one computes no signal is heard.
 */
export function describedLoop(): string {
  const counts = new Map<string, number>();
  for (const resource of process.getActiveResourcesInfo()) {
    counts.set(resource, (counts.get(resource) ?? 0) + 1);
  }
  const listed = [...counts].map(([resource, count]) => `${count} ${resource}`).join(", ");
  return `the event loop waits for ${listed === "" ? "nothing" : listed}`;
}
