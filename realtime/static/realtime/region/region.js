/** @import { Told } from "../subscriptions/changes.js" */
/** @import { Head } from "./head.js" */
/** @import { Fetched } from "./page.js" */
/** @import { Denial } from "./region_topics.js" */
import { morphContent } /*;*/ from "../morph/morph.js"
import { mergeChanges, readChanges, resetChanges, toTold } /*;*/ from "../subscriptions/changes.js"
import { DeniedRetry } /*;*/ from "./denied_retry.js"
import { readHead, withoutCursors } /*;*/ from "./head.js"
import { page } /*;*/ from "./page.js"
import { refetch } /*;*/ from "./refetch.js"
import { RegionTopics } /*;*/ from "./region_topics.js"

// Node can import this module, to test what needs no DOM.
const Base = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {});

/**
 * The head of the markup that a region is inserting. Regions inside that markup connect meanwhile:
 * their positions are those of that head, not those of the page as it was loaded.
 * @type {Head | null}
 */
let appliedHead = null;

/**
 * `<live-region topic="list:5">`: content that is fetched again when one of its topics changes.
 *
 * Events, all bubbling: `live:applied` when the content is up to date again, with
 * `{changes, reset, topics}`; `live:inserted` at each inserted element; `live:gone`, cancelable,
 * when the user can no longer have the page: then the page is reloaded. Attributes for CSS:
 * `data-live-stale` while a failed refetch waits for its retry, `data-live-denied` while the server
 * denies one of its topics.
 */
export class LiveRegion extends Base {
  static observedAttributes = ["topic", "jitter"];

  #topics = new RegionTopics({
    told: (topic, told) => this.#told(topic, told),
    denied: (topic, denial) => this.#denied(topic, denial),
  });
  #refetcher = {
    refetchName: "",
    /** @type {(fetched: Fetched, told: ReadonlyMap<string, Told>) => void} */
    applyFetched: (fetched, told) => this.#apply(fetched, told),
  };
  #deniedRetry = new DeniedRetry((topic) => this.#check(topic));
  /** True until the first connectedCallback has run. */
  #isNew = true;

  connectedCallback() {
    this.#watch(this.#head());
    this.#isNew = false;
  }

  disconnectedCallback() {
    // A move takes an element out and puts it back in one turn: it stays subscribed then.
    queueMicrotask(() => this.isConnected || this.#topics.leave());
  }

  attributeChangedCallback() {
    if (this.isConnected && !this.#isNew) this.#watch(this.#head());
  }

  /** The positions of topics that the region names now and did not name before. */
  #head() {
    if (appliedHead) return appliedHead;
    const head = readHead(document);
    // The content was not rendered for a topic that a script has set later.
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
   * @param {Told} told
   */
  async #told(topic, told) {
    this.#deniedRetry.forget(topic);
    await this.#refetch(topic, told);
  }

  /**
   * @param {string} topic
   * @param {Told} told
   */
  async #refetch(topic, told) {
    this.#refetcher.refetchName = this.id || this.getAttribute("topic") || "";
    try {
      await refetch.join(this.#refetcher, topic, told);
    } catch (error) {
      this.setAttribute("data-live-stale", "");
      throw error;
    }
  }

  /**
   * @param {Fetched} fetched
   * @param {ReadonlyMap<string, Told>} told
   * @returns {void}
   */
  #apply(fetched, told) {
    if (!this.isConnected) return;
    if (fetched.gone) return this.#goneBecause(fetched.gone);
    const fresh = findAlike(this, fetched.document);
    // An outer region's content includes this one: the outer region knows whether it still exists.
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
    appliedHead = head;
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
      appliedHead = null;
    }
  }

  /**
   * Handle a denial: look, after a pause, whether the page still shows the topic. If it does, the
   * region asks for it again with the ticket that the page brings.
   * @param {string} topic
   * @param {Denial} denial
   */
  #denied(topic, { isRevoked, wasConfirmed }) {
    this.toggleAttribute("data-live-denied", true);
    // Markup fetched before access ended does not say what the user may see now.
    if (isRevoked) refetch.abandon(this.#refetcher);
    // Confirmed, then denied on the next connection: the ticket is old, so a short pause will do.
    // Access that is given and taken again and again keeps its growing pauses.
    else if (wasConfirmed) this.#deniedRetry.forget(topic);
    this.#deniedRetry.add(topic);
  }

  /** @param {string} topic */
  #check(topic) {
    if (!this.isConnected || !this.#topics.isDenied(topic)) return;
    const told = toTold(resetChanges("access"));
    this.#refetch(topic, told).catch(() => this.#deniedRetry.add(topic));
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

/** @param {ReadonlyMap<string, Told>} told by topic */
function detailOf(told) {
  const { changes, reset } = toTold([...told.values()].map(readChanges).reduce(mergeChanges));
  return { changes, reset, topics: [...told.keys()] };
}

/**
 * Find the same region in another document: by its id, or without one by its place among the
 * regions of the same topic.
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
