import { milliseconds, text } from "./options.js";

/**
 * What a handler may throw to say how its job goes on, instead of returning.
 *
 * Base of {@link Fail}, {@link Retry} and {@link Snooze}: an answer of the handler, not an error of the worker.
 */
export abstract class Outcome extends Error {
  /** The outcome's name in the core. */
  abstract readonly verb: "fail" | "retry" | "snooze";
  /** The outcome's fields under the names of the core. */
  abstract fields(): Record<string, unknown>;
}

/**
 * Give the job up now, whatever retries are left; it is kept in its failure group.
 *
 * Source: core/src/engine/ops/job_fail.lua
 */
export class Fail extends Outcome {
  override readonly name = "Fail";
  readonly verb = "fail";
  /** Failures that share a cause. */
  readonly group: string;
  /** A stack, or empty. */
  readonly trace: string;

  /**
   * @param group failures that share a cause, 1 to 255 bytes.
   * @param message text for people, cut at 16 KiB. Default empty.
   * @param trace a stack, cut at 16 KiB. Default empty.
   */
  constructor(group: string, message = "", trace = "") {
    super(text(message, "message", "job_fail"));
    this.group = text(group, "group", "job_fail");
    this.trace = text(trace, "trace", "job_fail");
  }

  override fields(): Record<string, unknown> {
    return { group: this.group, message: this.message, trace: this.trace };
  }
}

/**
 * Run the job again after a delay and spend one of its retries.
 *
 * A job without retries left fails in the group `failed-retries-<queue>`.
 *
 * Source: core/src/engine/ops/job_retry.lua
 */
export class Retry extends Outcome {
  override readonly name = "Retry";
  readonly verb = "retry";
  /** Milliseconds. */
  readonly delay: number;

  /**
   * @param delay Milliseconds. 0 or more, a fraction is rounded. Default 0.
   * @throws InvalidArgument for a delay that is negative or not a finite number.
   */
  constructor(delay = 0) {
    super("the handler asked to run this job again");
    this.delay = milliseconds(delay, "delay", "job_retry");
  }

  override fields(): Record<string, unknown> {
    return { delay_ms: this.delay };
  }
}

/**
 * Run the job again after a delay without spending a retry.
 *
 * Source: core/src/engine/ops/job_snooze.lua
 */
export class Snooze extends Outcome {
  override readonly name = "Snooze";
  readonly verb = "snooze";
  /** Milliseconds. */
  readonly delay: number;

  /**
   * @param delay Milliseconds. 0 or more, a fraction is rounded.
   * @throws InvalidArgument for a delay that is negative or not a finite number.
   */
  constructor(delay: number) {
    super("the handler put this job off");
    this.delay = milliseconds(delay, "delay", "job_snooze");
  }

  override fields(): Record<string, unknown> {
    return { delay_ms: this.delay };
  }
}
