import { Backoff } from "./backoff.js";
import { isEmptyNews, mergeNews, tellNews } from "./news.js";

/**
 * @typedef {import("./news.js").News} News
 * @typedef {(told: import("./news.js").Told) => unknown} Handler
 *   applies what it is told; its promise says "applied", a rejection "not applied"
 */

/** After so long, a handler that has not settled counts as one that does not keep up (ms). */
const OVERDUE = 30_000;

/**
 * Runs one handler, one run at a time. What arrives meanwhile is merged and run afterwards; what
 * failed stays owed and is tried again. Its cursor moves only when a run has succeeded.
 */
export class Runner {
  #handler;
  #clock;
  #backoff;
  #changed;
  /** @type {string | null} */ #cursor;
  /** @type {News | null} */ #owed = null;
  /** @type {"idle" | "running" | "waiting" | "stopped"} */ #state = "idle";
  #behind = false;
  /** The end of the wait, or the run's deadline. @type {unknown} */ #timer = null;

  /**
   * @param {Handler} handler
   * @param {string | null} cursor what is applied already, if known
   * @param {Pick<import("./tools.js").Tools, "clock" | "random">} tools
   * @param {() => void} changed told when `behind` may have changed
   */
  constructor(handler, cursor, { clock, random }, changed) {
    this.#handler = handler;
    this.#cursor = cursor;
    this.#clock = clock;
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
   * Owe the handler this news; run it at once unless a run is under way or a retry is waiting.
   * @param {News} news
   */
  tell(news) {
    if (this.#state === "stopped") return;
    this.#owed = this.#owed ? mergeNews(this.#owed, news) : news;
    if (this.#state === "idle") void this.#run();
  }

  /** Retry now what waits for its retry: there is reason to hope. */
  hurry() {
    if (this.#state === "waiting") void this.#run();
  }

  /** Run nothing more, and forget how a run under way ends. */
  stop() {
    this.#state = "stopped";
    this.#clock.clearTimeout(this.#timer);
    this.#setBehind(false);
  }

  async #run() {
    this.#state = "running";
    while (this.#owed) {
      const news = this.#owed;
      this.#owed = null;
      const applied = isEmptyNews(news) || (await this.#call(news));
      if (this.#isStopped()) return;
      if (!applied) return this.#retryLater(news);
      this.#cursor = news.cursor ?? this.#cursor;
      this.#backoff.reset();
      this.#setBehind(false);
    }
    this.#state = "idle";
  }

  /**
   * Run the handler once; false if it failed.
   * @param {News} news
   */
  async #call(news) {
    this.#setTimer(() => this.#setBehind(true), OVERDUE);
    try {
      await this.#handler(tellNews(news));
      return true;
    } catch (error) {
      if (!this.#isStopped()) console.warn("live: a handler failed and will be retried", error);
      return false;
    } finally {
      this.#clock.clearTimeout(this.#timer);
    }
  }

  /** @param {News} news */
  #retryLater(news) {
    this.#owed = this.#owed ? mergeNews(news, this.#owed) : news;
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
