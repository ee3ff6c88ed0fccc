import { Backoff } from "../connection/backoff.js";
import { isEmpty, mergeChanges, toTold } from "./changes.js";

/**
 * @typedef {import("./changes.js").ChangeSet} ChangeSet
 * @typedef {(told: import("./changes.js").Told) => unknown} Handler
 *   applies what it is told; its promise says "applied", a rejection "not applied"
 */

/** After so long, a handler that has not settled counts as one that does not keep up (ms). */
const OVERDUE = 30_000;

/**
 * Runs one handler, one run at a time. What arrives meanwhile is merged and run afterwards; what
 * failed stays owed and is tried again. Its cursor moves only when a run has succeeded.
 */
export class HandlerRunner {
  #handler;
  #clock;
  #jitter;
  #backoff;
  #changed;
  /** @type {string | null} */ #cursor;
  /** @type {ChangeSet | null} */ #owed = null;
  /**
   * `spread` waits for the run's turn in a crowd, `waiting` for the retry of what failed.
   * @type {"idle" | "spread" | "running" | "waiting" | "stopped"}
   */
  #state = "idle";
  #behind = false;
  /** The retry, or the deadline of a run or of its wait. @type {unknown} */ #timer = null;
  #callOff = () => {};

  /**
   * @param {Handler} handler
   * @param {string | null} cursor what is applied already, if known
   * @param {Pick<import("../connection/environment.js").Environment, "clock" | "random">} environment
   * @param {import("./jitter.js").Jitter} pace
   * @param {() => void} changed told when `behind` may have changed
   */
  constructor(handler, cursor, { clock, random }, pace, changed) {
    this.#handler = handler;
    this.#cursor = cursor;
    this.#clock = clock;
    this.#jitter = pace;
    this.#backoff = new Backoff({ random });
    this.#changed = changed;
  }

  /** All up to here has been applied. */
  get cursor() {
    return this.#cursor;
  }

  /** True from a failure, or an overdue run, until a run has succeeded. */
  get behind() {
    return this.#behind;
  }

  /**
   * Take a first position: nothing up to here concerns the handler.
   * @param {string | null} cursor
   */
  startFrom(cursor) {
    this.#cursor ??= cursor;
  }

  /**
   * Owe the handler this news; run it, in its pace, unless a run is under way or a wait is.
   * @param {ChangeSet} news
   */
  tell(news) {
    if (this.#state === "stopped") return;
    this.#owed = this.#owed ? mergeChanges(this.#owed, news) : news;
    if (this.#state === "idle") this.#begin(this.#owed);
  }

  /** Retry now what waits for its retry: there is reason to hope. */
  retry() {
    if (this.#state === "waiting") void this.#run();
  }

  /** Wait no longer, for whatever it is: somebody looks at the page. */
  hurry() {
    this.#jitter.wake();
    if (this.#state === "spread") void this.#run();
    this.retry();
  }

  /** Run nothing more, and forget how a run under way ends. */
  stop() {
    this.#state = "stopped";
    this.#callOff();
    this.#clock.clearTimeout(this.#timer);
    this.#setBehind(false);
  }

  /** @param {ChangeSet} owed */
  #begin(owed) {
    if (isEmpty(owed)) return void this.#run();
    this.#state = "spread";
    this.#setTimer(() => this.#setBehind(true), OVERDUE);
    this.#callOff = this.#jitter.await(owed, () => void this.#run());
  }

  async #run() {
    this.#callOff();
    this.#clock.clearTimeout(this.#timer);
    this.#state = "running";
    const news = /** @type {ChangeSet} */ (this.#owed);
    this.#owed = null;
    const applied = isEmpty(news) || (await this.#call(news));
    if (this.#isStopped()) return;
    if (!applied) return this.#retryLater(news);
    this.#cursor = news.cursor ?? this.#cursor;
    this.#backoff.reset();
    this.#setBehind(false);
    this.#state = "idle";
    if (this.#owed) this.#begin(this.#owed);
  }

  /**
   * Run the handler once; false if it failed.
   * @param {ChangeSet} news
   */
  async #call(news) {
    this.#setTimer(() => this.#setBehind(true), OVERDUE);
    try {
      await this.#handler(toTold(news));
      return true;
    } catch (error) {
      if (!this.#isStopped()) console.warn("live: a handler failed and will be retried", error);
      return false;
    } finally {
      this.#clock.clearTimeout(this.#timer);
    }
  }

  /** @param {ChangeSet} news */
  #retryLater(news) {
    this.#owed = this.#owed ? mergeChanges(news, this.#owed) : news;
    this.#state = "waiting";
    this.#setTimer(() => void this.#run(), this.#backoff.next());
    this.#setBehind(true);
  }

  // A method, since the type checker does not see that an await may change the state.
  #isStopped() {
    return this.#state === "stopped";
  }

  /** @param {boolean} behind */
  #setBehind(behind) {
    if (behind === this.#behind) return;
    this.#behind = behind;
    this.#changed();
  }

  /**
   * @param {() => void} run
   * @param {number} milliseconds
   */
  #setTimer(run, milliseconds) {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = this.#clock.setTimeout(run, milliseconds);
  }
}
