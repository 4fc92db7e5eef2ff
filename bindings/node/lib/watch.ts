/**
 * When to look again: `often` while handlers are under way, which may have to end; `seldom` while none is and something has to be
 * asked; `called` when nothing has: every look wakes the process, and the native half calls when there is something.
 */
export type Pace = "often" | "seldom" | "called";

/** Milliseconds. */
const PACES: Readonly<Record<Exclude<Pace, "called">, number>> = { often: 100, seldom: 1_000 };

/** Looks again and again, in memory, for what there is to do for jobs under way. */
export class Watch {
  #look: () => Pace;
  #keepsAlive: boolean;
  #timer: NodeJS.Timeout | undefined;
  /** Null before the first {@link hurry}, and after the end. */
  #pace: Pace | null = null;

  /** `look` says when to look again; `keepsAlive`: whether the process stays alive for that. */
  constructor(look: () => Pace, keepsAlive: boolean) {
    this.#look = look;
    this.#keepsAlive = keepsAlive;
  }

  /** Look often from now on, until a look says otherwise. */
  hurry(): void {
    if (this.#pace !== "often") {
      this.#wait("often");
    }
  }

  /** Look now: there is something. */
  call(): void {
    if (this.#pace !== null) {
      this.#wait(this.#look());
    }
  }

  /** Look no more. */
  end(): void {
    this.#wait(null);
  }

  #wait(pace: Pace | null): void {
    clearTimeout(this.#timer);
    this.#pace = pace;
    if (pace === null || pace === "called") {
      return;
    }
    this.#timer = setTimeout(() => this.call(), PACES[pace]);
    if (!this.#keepsAlive) {
      this.#timer.unref();
    }
  }
}
