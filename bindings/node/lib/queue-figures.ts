/** How many jobs of a queue are in each state. */
export interface QueueCounts {
  readonly waiting: number;
  readonly scheduled: number;
  readonly blocked: number;
  readonly throttled: number;
  /** In hand, under a lease that holds. */
  readonly running: number;
  /** Those whose lease has run out and that are not yet handed on; not among the running ones. */
  readonly stalled: number;
  readonly recurring: number;
  /** True when nothing is reserved from it. */
  readonly paused: boolean;
}

/** A queue in the list of all: {@link Client.queues}. */
export interface QueueSummary extends QueueCounts {
  readonly name: string;
}

/** Times of the jobs of one queue and day. */
export interface QueueTimes {
  readonly count: number;
  /** Milliseconds. */
  readonly mean: number;
  /** Milliseconds. Standard deviation. */
  readonly deviation: number;
  /** Milliseconds. Half of them took at most this, as exact as the histogram. */
  readonly p50: number;
  /** Milliseconds. 99 of 100 took at most this, as exact as the histogram. */
  readonly p99: number;
  /** Milliseconds (upper bound of the bucket; null: it has none, beyond 30 days) and how many fell into it. */
  readonly histogram: readonly (readonly [upper: number | null, count: number])[];
}

/** What happened in a queue on one day. */
export interface QueueStats {
  /** From being ready to the start. */
  readonly wait: QueueTimes;
  /** From the start to the outcome. */
  readonly run: QueueTimes;
  readonly failures: number;
  /** How many of those that failed on that day are failed still. */
  readonly failed: number;
  readonly retries: number;
}
