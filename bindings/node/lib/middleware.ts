import { wrongState } from "./errors.js";
import type { Job } from "./job.js";

/**
 * Code around each handler: {@link Worker.use}. `next` runs what is inside, at last the handler, and resolves to its result;
 * what is returned takes the place of that, so `return next()` changes nothing. Without a call of `next` there is no handler.
 *
 * What the handler throws, `next` rejects with; what is thrown goes on outward, and ends the job as if the handler had thrown it.
 */
export type Middleware = (job: Job, next: () => Promise<unknown>) => unknown;

/** A layer around what is done with `subject`. */
type Layer<Subject, Answer> = (subject: Subject, next: () => Promise<Answer>) => Answer | Promise<Answer>;

/**
 * Goes through the layers, the first outermost, to what is innermost.
 *
 * A layer that does not wait for `next` is waited for none the less: nothing goes on behind the end. An error that came too late
 * for the layer counts then.
 */
export async function through<Subject, Answer>(
  layers: readonly Layer<Subject, Answer>[],
  subject: Subject,
  innermost: () => Promise<Answer>,
  jid: string | null = null,
): Promise<Answer> {
  const [layer, ...others] = layers;
  if (layer === undefined) {
    return innermost();
  }
  let inner: Promise<Answer> | undefined;
  let innerEnded = false;
  let ended = false;
  const next = () => {
    // Thrown, not rejected: this cannot go by unseen.
    if (inner !== undefined || ended) {
      throw wrongState(`next was called ${ended ? "after the end of its middleware" : "before"}`, null, jid);
    }
    const end = () => {
      innerEnded = true;
    };
    inner = through(others, subject, innermost, jid);
    inner.then(end, end);
    return inner;
  };
  try {
    const answer = await layer(subject, next);
    ended = true;
    if (!innerEnded) {
      await inner;
    }
    return answer;
  } catch (thrown) {
    ended = true;
    await inner?.catch(() => {});
    throw thrown;
  }
}
