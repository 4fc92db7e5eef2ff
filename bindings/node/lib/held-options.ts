/** Options of {@link Job.complete}. */
export interface CompleteOptions {
  /** The queue that the job goes to next, with its retries renewed. Default: the next of its route, else it is completed. */
  queue?: string;
  /** New data for the next queue, any JSON value or a RawJson. Default: the data last assigned to the job, else unchanged. */
  data?: unknown;
  /**
   * Milliseconds. Before the next queue may run it, 0 or more. Default 0. Where there is no next queue, the job is completed
   * at once: there is nothing to wait for, and what was done is not refused.
   */
  delay?: number;
  /**
   * The jids of the jobs that must be completed before the next queue may run it, at most 256; those that are unknown or
   * completed are not waited for. Default none.
   */
  dependencies?: readonly string[];
}

export const COMPLETE_OPTIONS = { queue: "queue", data: "data", delay: "delay_ms", dependencies: "dependencies" };

/** Options of {@link Job.heartbeat}. */
export interface HeartbeatOptions {
  /** New data of the job, any JSON value or a RawJson: kept at once, so that another run of it would begin there. */
  data?: unknown;
}

export const HEARTBEAT_OPTIONS = { data: "data" };

/** Options of {@link Job.retry}. */
export interface RetryOptions {
  /** Where it fails when no retry is left, 1 to 255 bytes. Default: `failed-retries-<queue>`. */
  group?: string;
  /** Text for people, kept as the job's `failure`; cut at 16 KiB. Default: none. */
  message?: string;
  /** A stack, cut at 16 KiB. Default: none. */
  trace?: string;
}

export const RETRY_OPTIONS = { group: "group", message: "message", trace: "trace" };
