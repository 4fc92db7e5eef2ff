/**
 * When to look again: `often` while handlers are under way, which may have to end; `seldom` while none is, as every look wakes
 * the process, and the native half tells by itself of jobs and of the end.
 */
export type Pace = "often" | "seldom";

/** Milliseconds. */
const PACES: Readonly<Record<Pace, number>> = { often: 100, seldom: 1_000 };

/** Looks again and again, in memory, for what the native half does not tell by itself. */
export class Watch {
  #look: () => Pace | null;
  #keepsAlive: boolean;
  #timer: NodeJS.Timeout | undefined;
  #pace: Pace | null = null;

  /** `look` says when to look again; null: not before {@link hurry}. Whether the process stays alive for it. */
  constructor(look: () => Pace | null, keepsAlive: boolean) {
    this.#look = look;
    this.#keepsAlive = keepsAlive;
  }

  /** Look often from now on, until a look says otherwise. */
  hurry(): void {
    if (this.#pace !== "often") {
      this.#wait("often");
    }
  }

  /** Look no more. */
  end(): void {
    this.#wait(null);
  }

  #wait(pace: Pace | null): void {
    clearTimeout(this.#timer);
    this.#pace = pace;
    if (pace === null) {
      return;
    }
    this.#timer = setTimeout(() => this.#wait(this.#look()), PACES[pace]);
    if (!this.#keepsAlive) {
      this.#timer.unref();
    }
  }
}
