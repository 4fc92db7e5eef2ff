import type { JidPage } from "./page.js";
import type { Placed } from "./put.js";
import type { Put } from "./putting.js";

/** Options of {@link Client}. */
export interface ClientOptions {
  /** What separates this application's jobs from others in the same Redis: letters, digits, `_`, `-`, 1 to 64. Default `mh`. */
  namespace?: string;
  /** Milliseconds. How long a call is repeated while Redis does not answer. 1 to 600,000. Default 60,000. */
  timeout?: number;
  /** Whether a newer engine may replace the one loaded in Redis: `auto` or `manual`. Default: `auto` for
   * `embedded:` and an empty server, else `manual`. */
  engineUpgrade?: "auto" | "manual";
}

export const CLIENT_OPTIONS = { namespace: "namespace", timeout: "timeout_ms", engineUpgrade: "engine_upgrade" };

/** The events of a {@link Client}, for `on` and `once`. What a listener throws is written to the console. */
export interface ClientEvents {
  /** These jobs are about to be put, as middleware has left them. */
  beforePut: [puts: readonly Put[]];
  /** They are put, and this is what became of each. */
  afterPut: [puts: readonly Put[], placed: readonly Placed[]];
}

/** A tag in use. */
export interface TagCount {
  readonly tag: string;
  /** How many jobs have it. */
  readonly count: number;
}

/** The jobs that a worker has in hand. */
export interface WorkerJobs extends JidPage {
  /** How many of all have leases that have run out; they come first. */
  readonly stalled: number;
}

/** Options of {@link Client.sweep}. */
export interface SweepOptions {
  /** How many jobs it moves at most, 1 to 100. Default 100. */
  limit?: number;
}

export const SWEEP_OPTIONS = { limit: "limit" };

/** What a sweep did. */
export interface Swept {
  /** How many jobs it moved. */
  readonly moved: number;
  /** How many old jobs it forgot. */
  readonly trimmed: number;
  /** Milliseconds until something is due, or null. */
  readonly nextDue: number | null;
}
