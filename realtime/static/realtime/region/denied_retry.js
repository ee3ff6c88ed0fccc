import { Backoff } from "../connection/backoff.js";
import { Gate } from "../subscriptions/jitter.js";
import { withDefaults } from "../connection/environment.js";

/** The longest pause before a topic that stays denied is asked for again, in milliseconds. */
const LONGEST = 120_000;

/** All regions of the page look together: one fetch shows all of them. */
const gate = new Gate(withDefaults({ random: () => Math.random() }));

/** When a region looks whether the page still shows what it is not told of: soon, then rarely. */
export class DeniedRetry {
  #look;
  /** @type {Map<string, Backoff>} */ #pauses = new Map();

  /** @param {(topic: string) => void} look */
  constructor(look) {
    this.#look = look;
  }

  /**
   * Look at this topic after a pause, which is longer each time.
   * @param {string} topic
   */
  add(topic) {
    // The gate draws the random share.
    const pauses = this.#pauses.get(topic) ?? new Backoff({ cap: LONGEST, random: () => 1 });
    this.#pauses.set(topic, pauses);
    gate.wait(pauses.next(), () => this.#look(topic));
  }

  /**
   * The topic was told or confirmed: another denial is another matter.
   * @param {string} topic
   */
  forget(topic) {
    this.#pauses.delete(topic);
  }
}
