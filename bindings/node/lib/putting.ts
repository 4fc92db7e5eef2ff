import type { Door } from "./door.js";
import { errorOf, invalidArgument, wrongState } from "./errors.js";
import { jsonObject, toJson } from "./json.js";
import { through } from "./middleware.js";
import { optionsObject, text } from "./options.js";
import { jobOptions, type Placed, PUT_OPTIONS, type PutAnswer, type PutItem, type PutOptions } from "./put.js";

/** The operation. */
export const PUT = "queue_put";

/** One job that is about to be put, as {@link PutMiddleware} and the listeners of a {@link Client} see it. */
export interface Put {
  queue: string;
  kind: string;
  /** Any JSON value or a RawJson. */
  data: unknown;
  options: PutOptions;
}

/**
 * Code around each put of a client: {@link Client.use}. `puts` are the jobs of this call, which may be changed; `next` puts them
 * and resolves to what became of each, in their order. What is returned is what the caller gets. Without a call of `next` nothing
 * is put.
 */
export type PutMiddleware = (
  puts: Put[],
  next: () => Promise<readonly Placed[]>,
) => readonly Placed[] | Promise<readonly Placed[]>;

/** Who is told of puts. */
export interface PutListener {
  before(puts: readonly Put[]): void;
  after(puts: readonly Put[], placed: readonly Placed[]): void;
}

/** A client's way to put jobs: its middleware around the operation. */
export class Putting {
  /** The first is outermost. */
  readonly layers: PutMiddleware[] = [];
  /** There once the client is. */
  listener: PutListener | undefined;
  #door: Door;

  constructor(door: Door) {
    this.#door = door;
  }

  /** A put that is refused because of a job of the same jid is an error. */
  async one(put: Put): Promise<Placed> {
    const puts = [{ ...put, options: { ...optionsObject(put.options, PUT) } }];
    const [placed] = await this.#around(puts, async () =>
      (await this.#put(puts)).map((answer) => {
        if (answer.error !== undefined) {
          throw errorOf(answer.error);
        }
        return answer;
      }),
    );
    if (placed === undefined) {
      throw wrongState("the client's middleware put nothing, and did not say what became of the put", PUT, null);
    }
    return placed;
  }

  /** One that is refused is left out. */
  async many(queue: string, jobs: readonly PutItem[]): Promise<Placed[]> {
    if (!Array.isArray(jobs)) {
      throw invalidArgument(`jobs must be an array, not ${typeof jobs}`, PUT);
    }
    const puts = jobs.map((job, index) => listed(queue, job, index));
    const place = async () => (await this.#put(puts)).map(withoutError);
    return [...(await this.#around(puts, place))];
  }

  async #around(puts: Put[], place: () => Promise<readonly Placed[]>): Promise<readonly Placed[]> {
    const placed = await through(this.layers, puts, async () => {
      this.listener?.before(puts);
      const placed = await place();
      this.listener?.after(puts, placed);
      return placed;
    });
    if (!Array.isArray(placed)) {
      throw wrongState("the client's middleware must return what `next` gave, or a list like it", PUT, null);
    }
    return placed;
  }

  async #put(puts: readonly Put[]): Promise<PutAnswer[]> {
    return JSON.parse(await this.#door.put(itemsJson(puts), PUT_OPTIONS)) as PutAnswer[];
  }
}

/** Few have one. */
function withoutError(answer: PutAnswer): Placed {
  if (answer.error === undefined) {
    return answer;
  }
  const { error: _, ...placed } = answer;
  return placed;
}

function listed(queue: string, job: PutItem, index: number): Put {
  if (typeof job !== "object" || job === null) {
    throw invalidArgument(`jobs[${index}] must be an object, not ${job === null ? "null" : typeof job}`, PUT);
  }
  const { kind, data, ...options } = job;
  return { queue, kind, data: Object.hasOwn(job, "data") ? data : null, options };
}

/** The jobs of a put as the core reads them: a JSON list. */
export function itemsJson(puts: readonly Put[]): string {
  const items = puts.map((put, index) => itemJson(put, puts.length === 1 ? "" : `jobs[${index}].`));
  return `[${items.join(",")}]`;
}

/** `within` says in errors which one it is. */
function itemJson({ queue, kind, data, options }: Put, within: string): string {
  const fields = { queue: text(queue, `${within}queue`, PUT), kind: text(kind, `${within}kind`, PUT) };
  const json = toJson(data, `${within}data`, PUT);
  return jsonObject({ ...fields, ...jobOptions(options, PUT_OPTIONS, PUT, within) }, { data: json });
}
