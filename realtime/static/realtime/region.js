import { Backoff } from "./backoff.js";
import { readHead } from "./head.js";
import { morphContent } from "./morph.js";
import { mergeNews, readNews, resetNews, tellNews } from "./news.js";
import { page } from "./page.js";
import { RegionTopics } from "./region_topics.js";
import { Rounds } from "./rounds.js";

/**
 * @typedef {import("./head.js").Head} Head
 * @typedef {import("./news.js").News} News
 * @typedef {import("./page.js").Fetched} Fetched
 */

// Node can import this module, to test what needs no DOM.
const Base = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {});

/** The longest pause before a topic that stays denied is asked for again (ms). */
const LONGEST_DENIAL = 120_000;

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
  static observedAttributes = ["topic"];

  #topics = new RegionTopics({
    told: (topic, told) => this.#told(topic, readNews(told)),
    denied: (topic) => this.#check(topic),
  });
  #rounds = new Rounds((fetched, told) => this.#apply(fetched, told));
  /** How long to wait before a denied topic is asked for again. @type {Map<string, Backoff>} */
  #denials = new Map();

  connectedCallback() {
    this.#watch(applying ?? readHead(document));
  }

  disconnectedCallback() {
    // Being moved is being taken out and put back in one turn: stay subscribed then.
    queueMicrotask(() => this.isConnected || this.#topics.leave());
  }

  attributeChangedCallback() {
    if (this.isConnected) this.#watch(applying ?? readHead(document));
  }

  /** @param {Head} head */
  #watch(head) {
    const topics = (this.getAttribute("topic") ?? "").split(/\s+/).filter(Boolean);
    this.#topics.watch(topics, head);
    this.toggleAttribute("data-live-denied", this.#topics.areDenied);
  }

  /**
   * @param {string} topic
   * @param {News} news
   */
  async #told(topic, news) {
    this.#denials.delete(topic);
    await this.#refetch(topic, news);
  }

  /**
   * @param {string} topic
   * @param {News} news
   */
  async #refetch(topic, news) {
    try {
      await this.#rounds.join(this.id || this.getAttribute("topic") || "", topic, news);
    } catch (error) {
      this.setAttribute("data-live-stale", "");
      throw error;
    }
  }

  /**
   * @param {Fetched} fetched
   * @param {ReadonlyMap<string, News>} told
   * @returns {void}
   */
  #apply(fetched, told) {
    if (!this.isConnected) return;
    if (fetched.gone) return this.#goneBecause(fetched.gone);
    const fresh = this.#findIn(fetched.document);
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
      const topic = fresh.getAttribute("topic") ?? "";
      if (topic !== this.getAttribute("topic")) this.setAttribute("topic", topic);
      this.#watch(head);
      return inserted;
    } finally {
      applying = null;
    }
  }

  /**
   * The same region: of the same id, or in the same place among those of the same topic.
   * @param {Document} fetched
   */
  #findIn(fetched) {
    const topic = this.getAttribute("topic");
    /** @param {Element} region */
    const isAlike = (region) =>
      region.id === this.id && (this.id !== "" || region.getAttribute("topic") === topic);
    /** @param {Document} where */
    const alike = (where) => [...where.querySelectorAll("live-region")].filter(isAlike);
    return alike(fetched)[alike(document).indexOf(this)];
  }

  /**
   * The server does not tell us of this topic (any more). See whether the page still shows it. If
   * not, that is settled; if so it is asked for again, for the refusal may have been for a moment.
   * @param {string} topic
   */
  #check(topic) {
    this.toggleAttribute("data-live-denied", true);
    const backoff = this.#denials.get(topic) ?? new Backoff({ cap: LONGEST_DENIAL });
    this.#denials.set(topic, backoff);
    setTimeout(() => {
      if (!this.isConnected || !this.#topics.isDenied(topic)) return;
      this.#refetch(topic, resetNews("access")).catch(() => this.#check(topic));
    }, backoff.next());
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

/** @param {ReadonlyMap<string, News>} told */
function detailOf(told) {
  const { changes, reset } = tellNews([...told.values()].reduce(mergeNews));
  return { changes, reset, topics: [...told.keys()] };
}
