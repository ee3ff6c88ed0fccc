import { Backoff } /*;*/ from "../connection/backoff.js"
import { withDefaults } /*;*/ from "../connection/environment.js"
import { Jitter } /*;*/ from "../subscriptions/jitter.js"

/** The longest pause before a topic that stays denied is looked for again, in milliseconds. */
const MAX_PAUSE = 120_000;

/** The regions of a page look together: one fetch serves them all. */
const retryJitter = new Jitter(withDefaults({ random: () => Math.random() }));

/** Decides when a region looks whether the page still shows a denied topic: soon, then rarely. */
export class DeniedRetry {
  #look;
  /** By topic. @type {Map<string, Backoff>} */ #pauses = new Map();

  /** @param {(topic: string) => void} look */
  constructor(look) {
    this.#look = look;
  }

  /**
   * Look for this topic after a pause, which is longer each time.
   * @param {string} topic
   */
  add(topic) {
    // The jitter draws the random part, so the pause is the whole ceiling.
    const pauses = this.#pauses.get(topic) ?? new Backoff({ cap: MAX_PAUSE, random: () => 1 });
    this.#pauses.set(topic, pauses);
    retryJitter.wait(pauses.next(), () => this.#look(topic));
  }

  /**
   * Begin with a short pause at the next denial: the topic was confirmed or told meanwhile.
   * @param {string} topic
   */
  forget(topic) {
    this.#pauses.delete(topic);
  }
}
