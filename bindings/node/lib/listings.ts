import type { ClientEvents, TagCount, WorkerJobs } from "./client-options.js";
import type { Door } from "./door.js";
import type { FailureGroup } from "./failure.js";
import { Hooks } from "./hooks.js";
import { camelCase } from "./json.js";
import { coreOptions, text } from "./options.js";
import { type JidPage, PAGE_OPTIONS, type Page, type PageOptions } from "./page.js";
import type { QueueCounts, QueueSummary } from "./queue-figures.js";
import type { ThrottleCounts } from "./throttle.js";
import type { WorkerStatus } from "./worker-options.js";

/** What there is in the namespace of a {@link Client}, page by page. */
export abstract class Listings extends Hooks<ClientEvents> {
  #door: Door;

  /** @internal */
  constructor(door: Door) {
    super();
    this.#door = door;
  }

  /**
   * The tracked jobs, in the order in which they were put.
   *
   * Source: core/src/engine/ops/job_tracked.lua
   */
  async tracked(page: PageOptions = {}): Promise<JidPage> {
    return this.#page("job_tracked", {}, page);
  }

  /**
   * The completed jobs of all queues, latest first; how many are kept, the settings say.
   *
   * Source: core/src/engine/ops/job_list.lua
   */
  async completed(page: PageOptions = {}): Promise<JidPage> {
    return this.#page("job_list", { state: "completed" }, page);
  }

  /**
   * The groups of failed jobs, largest first.
   *
   * Source: core/src/engine/ops/failure_groups.lua
   */
  async failures(page: PageOptions = {}): Promise<Page<FailureGroup>> {
    return this.#listed("failure_groups", page, "groups", ([group, count]: [string, number]) => ({ group, count }));
  }

  /**
   * The jobs of a failure group, latest first.
   *
   * Source: core/src/engine/ops/failure_jobs.lua
   */
  async failed(group: string, page: PageOptions = {}): Promise<JidPage> {
    const operation = "failure_jobs";
    return this.#page(operation, { group: text(group, "group", operation) }, page);
  }

  /**
   * The tags in use, most used first.
   *
   * Source: core/src/engine/ops/tag_list.lua
   */
  async tags(page: PageOptions = {}): Promise<Page<TagCount>> {
    return this.#listed("tag_list", page, "tags", ([tag, count]: [string, number]) => ({ tag, count }));
  }

  /**
   * The jobs with a tag, in the order in which they were put.
   *
   * Source: core/src/engine/ops/tag_jobs.lua
   */
  async tagged(tag: string, page: PageOptions = {}): Promise<JidPage> {
    const operation = "tag_jobs";
    return this.#page(operation, { tag: text(tag, "tag", operation) }, page);
  }

  /**
   * The queues with their counts, in the order in which they were first used.
   *
   * Source: core/src/engine/ops/queue_list.lua
   */
  async queues(page: PageOptions = {}): Promise<Page<QueueSummary>> {
    type Entry = QueueCounts & { queue: string };
    return this.#listed("queue_list", page, "queues", ({ queue, ...counts }: Entry) => ({ name: queue, ...counts }));
  }

  /**
   * The workers that were heard of within the setting `max-worker-age`, last heard first.
   *
   * @param page `limit` is at most 100 here.
   *
   * Source: core/src/engine/ops/worker_list.lua
   */
  async workers(page: PageOptions = {}): Promise<Page<WorkerStatus>> {
    type Entry = Omit<WorkerStatus, "name" | "silent"> & { worker: string; silent_ms: number };
    const item = ({ worker, silent_ms, ...others }: Entry) => ({ name: worker, silent: silent_ms, ...others });
    return this.#listed("worker_list", page, "workers", item);
  }

  /**
   * The jobs that a worker has in hand, whose lease ends first before others; `stalled` of them are past it.
   *
   * @param worker its name.
   *
   * Source: core/src/engine/ops/worker_jobs.lua
   */
  async workerJobs(worker: string, page: PageOptions = {}): Promise<WorkerJobs> {
    const operation = "worker_jobs";
    return (await this.#page(operation, { worker: text(worker, "worker", operation) }, page)) as WorkerJobs;
  }

  /**
   * The throttles with a limit, those of queues too, by name.
   *
   * Source: core/src/engine/ops/throttle_list.lua
   */
  async throttles(page: PageOptions = {}): Promise<Page<ThrottleCounts>> {
    return this.#listed("throttle_list", page, "throttles", (entry) => camelCase(entry) as ThrottleCounts);
  }

  async #page(operation: string, fields: object, page: PageOptions): Promise<JidPage> {
    return (await this.#door.ask(operation, { ...fields, ...coreOptions(page, PAGE_OPTIONS, operation) })) as JidPage;
  }

  /** A page of what is in the reply under `list`, each entry as `item` makes it. */
  async #listed<Item, Entry>(
    operation: string,
    page: PageOptions,
    list: string,
    item: (entry: Entry) => Item,
  ): Promise<Page<Item>> {
    const reply = await this.#door.ask(operation, coreOptions(page, PAGE_OPTIONS, operation));
    const { total, [list]: entries } = reply as { total: number; [list: string]: unknown };
    return { total, items: (entries as Entry[]).map(item) };
  }
}
