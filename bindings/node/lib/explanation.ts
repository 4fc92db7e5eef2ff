import type { JobState } from "./job.js";

/** One reason why a job is not running, or what has become of it. */
export type Reason =
  /** Nothing is reserved from its queue. */
  | { readonly why: "paused"; readonly queue: string }
  /** A throttle is full: its id, or `queue:<name>`; `holders` are the first ten. */
  | {
      readonly why: "throttled";
      readonly throttle: string;
      readonly limit: number;
      readonly held: number;
      readonly holders: readonly string[];
    }
  /** It waits for so many jobs; `jids` are the first ten, and `failed` those of them that failed. */
  | {
      readonly why: "dependencies";
      readonly count: number;
      readonly jids: readonly string[];
      readonly failed: readonly string[];
    }
  /** Milliseconds until it is due. */
  | { readonly why: "scheduled"; readonly dueIn: number }
  /** It does run. Milliseconds left of its lease; below 0 it is stalled. */
  | { readonly why: "running"; readonly worker: string; readonly leaseLeft: number }
  /** Without a message when that is lost. */
  | { readonly why: "failed"; readonly group: string; readonly message?: string }
  /** Milliseconds since it was completed. */
  | { readonly why: "completed"; readonly ago: number }
  /** No live worker serves its queue; not said while more than 500 live, or with more than 128 KiB of statuses. */
  | { readonly why: "no-worker"; readonly queue: string }
  /** Workers serve its queue, but none of them knows its kind. */
  | { readonly why: "unknown-kind"; readonly kind: string };

/** Why a job is not running. */
export interface Explanation {
  readonly jid: string;
  readonly state: JobState;
  readonly queue: string;
  /** All that holds now; empty when the job only waits for its turn. */
  readonly reasons: readonly Reason[];
  /** How many of its queue come before it; null unless it waits. */
  readonly position: number | null;
  /** Milliseconds. Estimated from today's run times in its queue; null when there are none. */
  readonly estimatedWait: number | null;
}
