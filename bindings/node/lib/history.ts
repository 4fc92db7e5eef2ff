/** How far a job is, as its handler said. */
export interface JobProgress {
  /** 0 to 1. */
  readonly value: number;
  /** Text for people, or empty. */
  readonly note: string;
  /** Milliseconds. When it was said, by Redis's clock, UTC epoch. */
  readonly at: number;
}

/** One step of a job's history. */
export interface HistoryEntry {
  /**
   * put, reserved, completed, retried, snoozed, failed, lost, timed_out (its lease was ended by hand), requeued, or log for an
   * entry of {@link Job.log}.
   */
  readonly what: string;
  /** Milliseconds. Instant by Redis's clock, UTC epoch. */
  readonly at: number;
  readonly queue?: string;
  readonly worker?: string;
  /** Milliseconds. How long the handler ran. */
  readonly run?: number;
  /** The failure group. */
  readonly group?: string;
  /** Of a log entry. */
  readonly message?: string;
  /** Of a log entry: what was given with the message. Whole numbers beyond 2^53 lose digits; {@link rawData} has them all. */
  readonly data?: unknown;
  /** The JSON text of `data`, byte for byte as it was given. */
  readonly rawData?: string;
}
