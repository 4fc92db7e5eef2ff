import type { Job } from "./job.js";

/** Most jobs that are named. */
const MOST = 5;

const STATES = { stops: " stopping", "is paused": " paused", "takes jobs": "" };

/** What a worker is doing. */
export type WorkerState = keyof typeof STATES;

/** What process listings (`ps`) show of a worker: its role, its queues, what it does and for whom. The system cuts what is too long. */
export function workerTitle(
  state: WorkerState,
  queues: readonly string[],
  threads: number,
  running: ReadonlySet<Job>,
): string {
  const jobs = [...running].slice(0, MOST).map((job) => `${job.kind} ${job.jid}`);
  const more = running.size > MOST ? ", …" : "";
  return `manyhands worker${STATES[state]} [${queues.join(",")}] ${running.size}/${threads} ${jobs.join(", ")}${more}`.trim();
}
