import { DeniedRetry } from "./denied_retry.js";
import { readHead, withoutCursors } from "./head.js";
import { morphContent } from "../morph/morph.js";
import { mergeChanges, readChanges, resetChanges, toTold } from "../subscriptions/changes.js";
import { page } from "./page.js";
import { RegionTopics } from "./region_topics.js";
import { Refetch } from "./refetch.js";

/**
 * @typedef {import("./head.js").Head} Head
 * @typedef {import("../subscriptions/changes.js").ChangeSet} ChangeSet
 * @typedef {import("./page.js").Fetched} Fetched
 */

// Node can import this module, to test what needs no DOM.
const Base = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {});

/**
 * The head that came with the markup which is being put in just now. Regions in that markup are
 * connected meanwhile, and stand at its cursors, not at those that the page was loaded with.
 * @type {Head | null}
 */
let applying = null;

/**
 * `<live-region topic="list:5">`: content that is fetched anew when one of its topics changes.
 *
 * Fires, bubbling: `live:applied` when its content is true again, with `{changes, reset, topics}`;
 * `live:inserted` at each element that this put in; `live:gone`, cancelable, when the user cannot
 * have the page any more, which otherwise is reloaded. For CSS it has the attributes
 * `data-live-stale` while a refetch has failed, and `data-live-denied` while the server does not
 * tell it of a topic.
 */
export class LiveRegion extends Base {
  static observedAttributes = ["topic", "jitter"];

  #topics = new RegionTopics({
    told: (topic, told) => this.#told(topic, readChanges(told)),
    denied: (topic, denial) => this.#denied(topic, denial),
  });
  #refetches = new Refetch((fetched, told) => this.#apply(fetched, told));
  #deniedRetry = new DeniedRetry((topic) => this.#check(topic));
  /** Is this still what it was put in as? */
  #isNew = true;

  connectedCallback() {
    this.#watch(this.#head());
    this.#isNew = false;
  }

  disconnectedCallback() {
    // Being moved is being taken out and put back in one turn: stay subscribed then.
    queueMicrotask(() => this.isConnected || this.#topics.leave());
  }

  attributeChangedCallback() {
    if (this.isConnected && !this.#isNew) this.#watch(this.#head());
  }

  /** Where the topics that are named now, and were not before, stand. */
  #head() {
    if (applying) return applying;
    const head = readHead(document);
    // A topic that a script has set later is not what the content was rendered for.
    return this.#isNew ? head : withoutCursors(head);
  }

  /** @param {Head} head */
  #watch(head) {
    const topics = (this.getAttribute("topic") ?? "").split(/\s+/).filter(Boolean);
    const jitter = Number.parseFloat(this.getAttribute("jitter") ?? "");
    this.#topics.watch(topics, head, jitter >= 0 ? jitter : null);
    this.toggleAttribute("data-live-denied", this.#topics.areDenied);
  }

  /**
   * @param {string} topic
   * @param {ChangeSet} news
   */
  async #told(topic, news) {
    this.#deniedRetry.forget(topic);
    await this.#refetch(topic, news);
  }

  /**
   * @param {string} topic
   * @param {ChangeSet} news
   */
  async #refetch(topic, news) {
    try {
      await this.#refetches.join(this.id || this.getAttribute("topic") || "", topic, news);
    } catch (error) {
      this.setAttribute("data-live-stale", "");
      throw error;
    }
  }

  /**
   * @param {Fetched} fetched
   * @param {ReadonlyMap<string, ChangeSet>} told
   * @returns {void}
   */
  #apply(fetched, told) {
    if (!this.isConnected) return;
    if (fetched.gone) return this.#goneBecause(fetched.gone);
    const fresh = findAlike(this, fetched.document);
    // Within another region it is that one's content: it knows whether this still exists.
    const outer = this.parentElement?.closest("live-region");
    if (!fresh && outer instanceof LiveRegion) return outer.#apply(fetched, told);
    if (!fresh) return this.#goneBecause("missing");
    const inserted = this.#become(fresh, fetched.head);
    this.removeAttribute("data-live-stale");
    for (const element of inserted) this.#fire("live:inserted", element);
    this.#fire("live:applied", this, detailOf(told));
  }

  /**
   * @param {Element} fresh
   * @param {Head} head
   */
  #become(fresh, head) {
    applying = head;
    try {
      const inserted = morphContent(this, fresh);
      for (const name of LiveRegion.observedAttributes) {
        const value = fresh.getAttribute(name);
        if (value === null) this.removeAttribute(name);
        else if (value !== this.getAttribute(name)) this.setAttribute(name, value);
      }
      this.#watch(head);
      return inserted;
    } finally {
      applying = null;
    }
  }

  /**
   * The server does not tell us of this topic (any more). See whether the page still shows it. If
   * not, that is settled; if so it is asked for again, with the ticket that the page brings.
   * @param {string} topic
   * @param {import("./region_topics.js").Denial} denial
   */
  #denied(topic, { isRevoked, wasConfirmed }) {
    this.toggleAttribute("data-live-denied", true);
    // Markup of before the end says nothing about what may be seen after it.
    if (isRevoked) this.#refetches.abandon();
    // What was confirmed and is refused on the next connection has an old ticket: no reason to
    // wait long. Access that is given and taken again and again is one.
    else if (wasConfirmed) this.#deniedRetry.forget(topic);
    this.#deniedRetry.add(topic);
  }

  /** @param {string} topic */
  #check(topic) {
    if (!this.isConnected || !this.#topics.isDenied(topic)) return;
    this.#refetch(topic, resetChanges("access")).catch(() => this.#deniedRetry.add(topic));
  }

  /** @param {string} reason */
  #goneBecause(reason) {
    if (this.#fire("live:gone", this, { reason })) page.reload();
  }

  /**
   * @param {string} type
   * @param {Element} target
   * @param {object} [detail]
   */
  #fire(type, target, detail) {
    const cancelable = type === "live:gone";
    return target.dispatchEvent(new CustomEvent(type, { bubbles: true, cancelable, detail }));
  }
}

/** @param {ReadonlyMap<string, ChangeSet>} told */
function detailOf(told) {
  const { changes, reset } = toTold([...told.values()].reduce(mergeChanges));
  return { changes, reset, topics: [...told.keys()] };
}

/**
 * Find the same region in another document: that of the same id, or the one in the same place
 * among those of the same topic.
 *
 * @param {Element} region in this document
 * @param {Document} other
 * @returns {Element | undefined}
 */
function findAlike(region, other) {
  const topic = region.getAttribute("topic");
  /** @param {Element} each */
  const isAlike = (each) =>
    each.id === region.id && (region.id !== "" || each.getAttribute("topic") === topic);
  /** @type {(where: Document) => Element[]} */
  const alike = (where) => [...where.querySelectorAll("live-region")].filter(isAlike);
  return alike(other)[alike(document).indexOf(region)];
}
