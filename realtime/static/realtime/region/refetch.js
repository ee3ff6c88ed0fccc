/** @import { Told } from "../subscriptions/changes.js" */
/** @import { Head } from "./head.js" */
/** @import { Fetched } from "./page.js" */
import { connect } /*;*/ from "../connection/connect.js"
import { page } /*;*/ from "./page.js"

/**
 * @typedef {object} Refetcher a region
 * @property {string} refetchName for the server's information
 * @property {(fetched: Fetched, told: ReadonlyMap<string, Told>) => void} applyFetched
 *
 * @typedef {object} Share one region's part of a round
 * @property {Map<string, Told>} told the region's changes, by topic
 * @property {Promise<void>} applied
 * @property {boolean} isAbandoned
 *
 * @typedef {object} Round one fetch of the page
 * @property {Map<Refetcher, Share>} shares
 * @property {Promise<Fetched>} fetched
 */

/**
 * The refetches of this page, one at a time, for all regions together.
 *
 * The way of a change: a region is told, joins the round whose fetch has not begun, and applies
 * what that fetch brings. So no region gets markup older than the change that it was told, and no
 * response overtakes another. All that a region is told before the fetch is applied at once.
 */
export class Refetch {
  /** The round whose fetch has not begun. @type {Round | null} */ #next = null;
  /** The shares of the fetch that began last. @type {Map<Refetcher, Share>} */
  #current = new Map();
  /** Resolves when the last round's fetch has ended. @type {Promise<void>} */
  #ended = Promise.resolve();

  /**
   * Fetch the page as it is from now on, and apply it to a region.
   * @param {Refetcher} region
   * @param {string} topic
   * @param {Told} told
   * @returns {Promise<void>} settles when the region has applied it, or could not
   */
  join(region, topic, told) {
    const round = (this.#next ??= this.#makeRound());
    const share = round.shares.get(region) ?? this.#share(round, region);
    // A topic is told once a round: its handler is called again only after `applied`.
    share.told.set(topic, told);
    return share.applied;
  }

  /**
   * Drop a region's shares of all rounds: they fail, and nothing is applied to the region.
   * @param {Refetcher} region
   */
  abandon(region) {
    for (const shares of [this.#current, this.#next?.shares]) {
      const share = shares?.get(region);
      if (share) share.isAbandoned = true;
      shares?.delete(region);
    }
  }

  /** @returns {Round} */
  #makeRound() {
    const shares = new Map();
    const fetched = this.#fetchAfter(this.#ended, shares);
    const end = () => {};
    this.#ended = fetched.then(end, end); // the regions handle a failure
    return { shares, fetched };
  }

  /**
   * @param {Round} round
   * @param {Refetcher} region
   */
  #share(round, region) {
    /** @type {Share} */
    const share = { told: new Map(), applied: Promise.resolve(), isAbandoned: false };
    share.applied = round.fetched.then((fetched) => {
      if (share.isAbandoned) throw new Error("access ended while the page was fetched");
      region.applyFetched(fetched, share.told);
    });
    round.shares.set(region, share);
    return share;
  }

  /**
   * @param {Promise<void>} previous
   * @param {Map<Refetcher, Share>} shares
   */
  async #fetchAfter(previous, shares) {
    await previous;
    // The regions apply the previous response first; changes told meanwhile join this round.
    await nextTask();
    this.#current = shares;
    this.#next = null;
    const names = [...shares.keys()].map(({ refetchName }) => refetchName);
    const fetched = await page.fetch([...new Set(names)].join(", "));
    if (!fetched.gone) renewTickets(fetched.head);
    return fetched;
  }
}

export const refetch = new Refetch();

/**
 * Let all subscriptions of the page use the fetched tickets, whichever region needed the fetch.
 * @param {Head} head
 */
function renewTickets({ url, topics }) {
  const tickets = [...topics].map(([topic, { ticket }]) => [topic, ticket]);
  if (tickets.length) connect(url).renewTickets(Object.fromEntries(tickets));
}

/** Wait for a task of its own, not for a timer: hidden tabs delay those up to a minute. */
function nextTask() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve(undefined);
    };
    port2.postMessage(null);
  });
}
