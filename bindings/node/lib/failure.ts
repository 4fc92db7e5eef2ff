/** Why a job is in its failure group. */
export interface JobFailure {
  /** Failures that share a cause. */
  readonly group: string;
  readonly message: string;
  /** The stack of the error, or empty. */
  readonly trace: string;
  /** Milliseconds. Instant by Redis's clock, UTC epoch. */
  readonly at: number;
  /** The worker that had the job. */
  readonly worker: string | null;
}

/** Failed jobs that share a cause. */
export interface FailureGroup {
  readonly group: string;
  /** How many jobs are in it. */
  readonly count: number;
}

/** Options of {@link Client.unfail}. */
export interface UnfailOptions {
  /** Where to. Default: the queue that each failed in. */
  queue?: string;
  /** How many at most, 1 to 100. Default 25. */
  limit?: number;
}

export const UNFAIL_OPTIONS = { queue: "queue", limit: "limit" };
