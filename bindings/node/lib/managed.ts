import type { Door } from "./door.js";
import { wrongState } from "./errors.js";
import type { Explanation } from "./explanation.js";
import type { JobOutcome, JobState } from "./job.js";
import { jsonObject, toJson } from "./json.js";
import { coreOptions, optionsObject, plain, texts } from "./options.js";
import { DEPEND_OPTIONS, type DependOptions, jobOptions, REQUEUE_OPTIONS, type RequeueOptions } from "./put.js";

/** What anybody may do with a {@link Job}, whoever has it: these methods speak of the job of this jid as it is when they are called. */
export abstract class Managed {
  /** The job's id: 32 hex digits, or the text that was chosen at put. */
  readonly jid: string;
  #door: Door | null;

  /** @internal `door` null: there is no server, as for a job that a test has built. */
  constructor(jid: string, door: Door | null) {
    this.jid = jid;
    this.#door = door;
  }

  /**
   * The job disappears, in whatever state it is. Who runs it loses it; its own handler has ended it by that.
   *
   * @returns false when it was gone before.
   * @throws HasDependents when a job waits for it; {@link Client.cancel} cancels both.
   *
   * Source: core/src/engine/ops/job_cancel.lua
   */
  async cancel(): Promise<boolean> {
    const operation = "job_cancel";
    return this.ending("cancelled", async () => {
      const gone = (await this.door(operation).ask(operation, { jids: [this.jid] })) as string[];
      return gone.length > 0;
    });
  }

  /**
   * Place the job anew in a queue, from whatever state: at the end of the line, with all its retries. Who runs it loses it; its
   * own handler has ended it by that.
   *
   * @returns `waiting`, `scheduled` or `blocked`.
   * @throws InvalidArgument for a bad or unknown option; JobNotFound; UnknownDependency when `missing` is `reject`; Cycle and
   *   TooDeep for its dependencies.
   *
   * Source: core/src/engine/ops/job_requeue.lua
   */
  async requeue(options: RequeueOptions = {}): Promise<JobOutcome> {
    const operation = "job_requeue";
    const { data, ...others } = optionsObject(options, operation);
    const fields = { jid: this.jid, ...jobOptions(others, REQUEUE_OPTIONS, operation) };
    const raw = { data: data === undefined ? undefined : toJson(data, "data", operation) };
    return this.ending("requeued", async () => {
      const state = await this.door(operation).call(operation, jsonObject(fields, raw), REQUEUE_OPTIONS);
      return JSON.parse(state) as JobOutcome;
    });
  }

  /**
   * Change its priority; among its new equals it keeps the order of putting.
   *
   * @param priority -128 to 127; larger is reserved first.
   * @throws InvalidArgument for another priority; JobNotFound; WrongState when it is completed or failed.
   *
   * Source: core/src/engine/ops/job_prioritize.lua
   */
  async prioritize(priority: number): Promise<void> {
    const operation = "job_prioritize";
    await this.#ask(operation, { priority: plain(priority, "priority", operation) });
  }

  /**
   * Add tags.
   *
   * @param tags at most 32 in all.
   * @returns the job's tags now.
   * @throws InvalidArgument for a bad tag and too many; JobNotFound.
   *
   * Source: core/src/engine/ops/job_tag.lua
   */
  async tag(...tags: string[]): Promise<string[]> {
    const operation = "job_tag";
    return (await this.#ask(operation, { tags: texts(tags, "tags", operation) })) as string[];
  }

  /**
   * Take tags off; those that it does not have are passed over.
   *
   * @returns the job's tags now.
   * @throws InvalidArgument for a bad tag; JobNotFound.
   *
   * Source: core/src/engine/ops/job_untag.lua
   */
  async untag(...tags: string[]): Promise<string[]> {
    const operation = "job_untag";
    return (await this.#ask(operation, { tags: texts(tags, "tags", operation) })) as string[];
  }

  /**
   * From now on events tell what happens to it: {@link Client.events}.
   *
   * @returns false when it was tracked before, or is gone.
   *
   * Source: core/src/engine/ops/job_track.lua
   */
  async track(): Promise<boolean> {
    return (await this.door("job_track").ask("job_track", { jids: [this.jid] })) === 1;
  }

  /**
   * Events no longer tell of it.
   *
   * @returns false when it was not tracked.
   *
   * Source: core/src/engine/ops/job_untrack.lua
   */
  async untrack(): Promise<boolean> {
    return (await this.door("job_untrack").ask("job_untrack", { jids: [this.jid] })) === 1;
  }

  /**
   * Wait for other jobs too. For a job that has not begun.
   *
   * @param on 1 to 256 jids.
   * @returns those of `on` that it need not wait for: completed, or unknown.
   * @throws InvalidArgument for bad jids and an unknown option; JobNotFound; WrongState when it runs or has ended;
   *   UnknownDependency when `missing` is `reject`; Cycle and TooDeep.
   *
   * Source: core/src/engine/ops/job_depend.lua
   */
  async depend(on: readonly string[], options: DependOptions = {}): Promise<string[]> {
    const operation = "job_depend";
    const own = coreOptions(options, DEPEND_OPTIONS, operation);
    return (await this.#ask(operation, { on: texts(on, "on", operation), ...own })) as string[];
  }

  /**
   * Wait for other jobs no longer.
   *
   * @param on 1 to 256 jids, or `all`: for none.
   * @returns the job's state now.
   * @throws InvalidArgument for bad jids; JobNotFound.
   *
   * Source: core/src/engine/ops/job_undepend.lua
   */
  async undepend(on: readonly string[] | "all"): Promise<JobState> {
    const operation = "job_undepend";
    const which = on === "all" ? { all: true } : { on: texts(on, "on", operation) };
    return (await this.#ask(operation, which)) as JobState;
  }

  /**
   * End the lease of the running job now: a retry is spent, and it waits again where it was, or fails when none is left.
   * Its own handler has ended it by that.
   *
   * @returns `waiting` or `failed`.
   * @throws JobNotFound; WrongState when it does not run.
   *
   * Source: core/src/engine/ops/job_timeout.lua
   */
  async timeout(): Promise<JobOutcome> {
    return this.ending("timed out", async () => (await this.#ask("job_timeout", {})) as JobOutcome);
  }

  /**
   * Why it is not running, or what has become of it.
   *
   * @returns null when it is gone.
   *
   * Source: core/src/engine/ops/job_explain.lua
   */
  async explain(): Promise<Explanation | null> {
    return this.door("job_explain").explain(this.jid);
  }

  async #ask(operation: string, fields: object): Promise<unknown> {
    return this.door(operation).ask(operation, { jid: this.jid, ...fields });
  }

  /** @internal The way to the engine. */
  protected door(operation: string): Door {
    if (this.#door === null) {
      throw wrongState(`job ${this.jid} was built without a server`, operation, this.jid);
    }
    return this.#door;
  }

  /** @internal What `act` does ends the job's run, whoever has it; `how` says it for people. */
  protected abstract ending<T>(how: "cancelled" | "requeued" | "timed out", act: () => Promise<T>): Promise<T>;
}
