/** @import { Environment } from "../connection/environment.js" */
/** @import { ChangeSet, Told } from "./changes.js" */
/** @import { Jitter, JitterOptions } from "./jitter.js" */
import { Backoff } /*;*/ from "../connection/backoff.js"
import { isEmpty, mergeChanges, toTold } /*;*/ from "./changes.js"
import { spreadOf } /*;*/ from "./jitter.js"

/**
 * @typedef {(told: Told) => unknown} Handler
 *   applies the changes; its promise says "applied", a rejection "not applied"
 */

/** After so long in a run, or in the wait before it, a handler counts as behind (ms). */
const RUN_TIMEOUT = 30_000;

/** For so long after waking, changes are the page's own catching up and do not wait (ms). */
const WOKEN_FOR = 10_000;

/**
 * Calls one handler, one run at a time. Changes that arrive during a run are merged and handled
 * afterwards. Those of a failed run are kept and retried. The cursor moves when a run succeeds.
 */
export class HandlerRunner {
  #handler;
  #clock;
  #jitter;
  #jitterOptions;
  #backoff;
  #stateChanged;
  /** @type {string | null} */ #cursor;
  /** The changes for the next run. @type {ChangeSet | null} */ #owed = null;
  /**
   * `spread` waits for the run's random part of the jitter, `waiting` for a failed run's retry.
   * @type {"idle" | "spread" | "running" | "waiting"}
   */
  #state = "idle";
  #isStopped = false;
  #behind = false;
  #wokenAt = -Infinity;
  /** The retry, or the deadline of a run or of its wait. @type {unknown} */ #timer = null;
  #cancelWait = () => {};

  /**
   * @param {Handler} handler
   * @param {string | null} cursor the position of the handler's data, if known
   * @param {Pick<Environment, "clock" | "random">} environment
   * @param {Jitter} jitter shared with the handlers that share its fetches
   * @param {JitterOptions} jitterOptions may change later
   * @param {() => void} stateChanged called when `behind` may have changed
   */
  constructor(handler, cursor, { clock, random }, jitter, jitterOptions, stateChanged) {
    this.#handler = handler;
    this.#cursor = cursor;
    this.#clock = clock;
    this.#jitter = jitter;
    this.#jitterOptions = jitterOptions;
    this.#backoff = new Backoff({ random });
    this.#stateChanged = stateChanged;
  }

  /** The position up to which all is applied. */
  get cursor() {
    return this.#cursor;
  }

  /** True from a failed or overdue run until a run succeeds. */
  get behind() {
    return this.#behind;
  }

  /**
   * Take a first position: no change up to here concerns the handler.
   * @param {string | null} cursor
   */
  startFrom(cursor) {
    this.#cursor ??= cursor;
  }

  /**
   * Add changes for the handler. A run begins, in its jitter, unless one is under way or waits.
   * @param {ChangeSet} changes
   */
  tell(changes) {
    if (this.#isStopped) return;
    this.#owed = this.#owed ? mergeChanges(this.#owed, changes) : changes;
    if (this.#state === "idle") this.#begin(this.#owed);
  }

  /** Retry a failed run now: the reason of its failure may be gone. */
  retry() {
    if (this.#state === "waiting") void this.#run();
  }

  /** End all waits: the user looks at the page. */
  hurry() {
    this.#wokenAt = this.#clock.now();
    if (this.#state === "spread") void this.#run();
    this.retry();
  }

  /** Stop calling the handler, and ignore the result of a run under way. */
  stop() {
    this.#isStopped = true;
    // A run under way may fail unnoticed: later changes must not move the cursor after a restart.
    this.#owed = null;
    if (this.#state !== "running") this.#state = "idle";
    this.#cancelWait();
    this.#clock.clearTimeout(this.#timer);
    this.#setBehind(false);
  }

  /** Call the handler again, for changes after the cursor; a run still under way counts again. */
  restart() {
    this.#isStopped = false;
    if (this.#state === "running") this.#setTimer(() => this.#setBehind(true), RUN_TIMEOUT);
  }

  /** @param {ChangeSet} owed */
  #begin(owed) {
    if (isEmpty(owed)) return void this.#run();
    this.#state = "spread";
    this.#setTimer(() => this.#setBehind(true), RUN_TIMEOUT);
    const isWoken = Math.abs(this.#clock.now() - this.#wokenAt) < WOKEN_FOR;
    const spread = isWoken ? 0 : spreadOf(owed.reset, this.#jitterOptions);
    this.#cancelWait = this.#jitter.wait(spread, () => void this.#run());
  }

  async #run() {
    this.#cancelWait();
    this.#clock.clearTimeout(this.#timer);
    this.#state = "running";
    const changes = /** @type {ChangeSet} */ (this.#owed);
    this.#owed = null;
    const isApplied = isEmpty(changes) || (await this.#call(changes));
    this.#state = "idle";
    if (this.#isStopped) return;
    if (!isApplied) return this.#retryLater(changes);
    this.#cursor = changes.cursor ?? this.#cursor;
    this.#backoff.reset();
    this.#setBehind(false);
    if (this.#owed) this.#begin(this.#owed);
  }

  /**
   * Call the handler once; false if it failed.
   * @param {ChangeSet} changes
   */
  async #call(changes) {
    this.#setTimer(() => this.#setBehind(true), RUN_TIMEOUT);
    try {
      await this.#handler(toTold(changes));
      return true;
    } catch (error) {
      if (!this.#isStopped) console.warn("live: a handler failed and will be retried", error);
      return false;
    } finally {
      this.#clock.clearTimeout(this.#timer);
    }
  }

  /** @param {ChangeSet} changes */
  #retryLater(changes) {
    this.#owed = this.#owed ? mergeChanges(changes, this.#owed) : changes;
    this.#state = "waiting";
    this.#setTimer(() => void this.#run(), this.#backoff.next());
    this.#setBehind(true);
  }

  /** @param {boolean} behind */
  #setBehind(behind) {
    if (behind === this.#behind) return;
    this.#behind = behind;
    this.#stateChanged();
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
