import { Backoff, type BackoffLike } from "./backoff.js";
import { invalidArgument } from "./errors.js";
import { Job } from "./job.js";
import type { Middleware } from "./middleware.js";
import { coreOptions, optionsObject } from "./options.js";

/** A class of errors; those of its subclasses are errors of it too. */
// biome-ignore lint/suspicious/noExplicitAny: constructors of whatever arguments
export type ErrorClass = abstract new (...args: any[]) => unknown;

/** What {@link retryRules} are told. */
export interface RetryRules {
  /**
   * How long to wait before the next run, by the class of the error; the first that it is of counts. It spends a retry, and
   * without any left the job fails. Default none.
   */
  retryOn?: Iterable<readonly [ErrorClass, BackoffLike]>;
  /** Errors after which the job fails at once, whatever retries are left. These come first. Default none. */
  discardOn?: Iterable<ErrorClass>;
}

/**
 * Middleware that says by the class of an error when its job runs again, or that it does not.
 *
 * The error goes on outward as any other, to other middleware, the console and the event `failure`; only what becomes of the
 * job is decided here. After an error that no rule names it runs again with growing delays, as without rules.
 *
 * ```js
 * worker.use(retryRules({
 *   retryOn: [[RateLimited, 30_000], [NetworkError, [1_000, 10_000, 60_000]], [Error, Backoff.exponential(2_000)]],
 *   discardOn: [NoSuchUser],
 * }));
 * ```
 *
 * @throws InvalidArgument for an unknown rule, what is no class, and a bad backoff.
 */
export function retryRules(rules: RetryRules): Middleware {
  const { retryOn = [], discardOn = [], ...others } = optionsObject(rules, null);
  coreOptions(others, { retryOn: "retryOn", discardOn: "discardOn" }, null);
  const waits = listed(retryOn, "retryOn").map(waitRule);
  const discards = listed(discardOn, "discardOn").map(errorClass);
  return async (job, next) => {
    try {
      return await next();
    } catch (error) {
      const [, backoff] = waits.find(([errors]) => error instanceof errors) ?? [];
      if (discards.some((errors) => error instanceof errors)) {
        Job.rule(job, { error, verb: "fail", fields: {} });
      } else if (backoff !== undefined) {
        const delay_ms = Backoff.after(backoff, job);
        Job.rule(job, delay_ms === undefined ? null : { error, verb: "retry", fields: { delay_ms } });
      }
      throw error;
    }
  };
}

function listed<Rule>(rules: Iterable<Rule>, name: string): Rule[] {
  if (typeof rules?.[Symbol.iterator] !== "function") {
    throw invalidArgument(`${name} must be a list, not ${rules === null ? "null" : typeof rules}`);
  }
  return [...rules];
}

function waitRule(rule: readonly [ErrorClass, BackoffLike]): readonly [ErrorClass, Backoff] {
  if (!Array.isArray(rule) || rule.length !== 2) {
    throw invalidArgument("retryOn must be a list of pairs: a class of errors, and how long to wait");
  }
  const [errors, backoff] = rule;
  return [errorClass(errors), Backoff.of(backoff)];
}

function errorClass(value: ErrorClass): ErrorClass {
  if (typeof value !== "function") {
    throw invalidArgument(`a rule is for a class of errors, not for ${typeof value}`);
  }
  return value;
}
