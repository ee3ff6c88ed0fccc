/** A page of `<live-region>` elements, in jsdom, with the shipped client. */
import { JSDOM, VirtualConsole } from "jsdom";
import { choose } from "./chance.mjs";
import { Client, monotonic } from "./client.mjs";
import { importInto } from "./modules.mjs";

const ORIGIN = "http://127.0.0.1";

export class PageClient extends Client {
  kind = "page";
  #first;
  /** @type {any} */ #window = null;
  /** The time of the request for the markup that is being inserted. */
  #since = 0;
  /** The cached value of `shown`; null after a change of the document. */
  #shown = null;

  /** @param {any} spec with `regions`, each a list of topics */
  constructor(spec, world) {
    super(spec, world);
    this.#first = spec.regions;
  }

  get shown() {
    this.#shown ??= Object.assign({}, ...this.#regions.map(rowsOf));
    return this.#shown;
  }

  /** The topics of regions that are marked as denied; a mark does not name topics. */
  get denied() {
    const denied = this.observer.denied;
    return this.#regions.flatMap((region) => {
      if (!region.hasAttribute("data-live-denied")) return [];
      const known = topicsOf(region).filter((topic) => denied.includes(topic));
      return known.length ? known : topicsOf(region);
    });
  }

  get isSettled() {
    return super.isSettled && !this.#regions.some((region) => region.hasAttribute("data-live-stale"));
  }

  /** Make the page visible again. */
  wake() {
    const { document, Event } = this.#window;
    document.dispatchEvent(new Event("visibilitychange"));
  }

  end() {
    super.end();
    this.#window?.close();
  }

  async load() {
    const address = addressOf(this.#first);
    this.#since = monotonic();
    const html = await this.fetch(address);
    const virtualConsole = new VirtualConsole().on("jsdomError", crash);
    const url = ORIGIN + address;
    const dom = new JSDOM(html, { url, runScripts: "outside-only", pretendToBeVisual: true, virtualConsole });
    this.#window = dom.window;
    this.#furnish(dom);
    await this.#runClient(dom);
    this.note("applied", { began: this.#since });
  }

  /** Change the topics of a region, except the first, which shows the sentinels. */
  async change() {
    const regions = this.#regions;
    const number = 1 + Math.floor(this.random() * (regions.length - 1));
    const named = regions.map(topicsOf);
    const added = this.another(named.flat());
    const wanted = named.map((topics, at) => (at === number ? [...topics.slice(1), added] : topics));
    await choose(this.random, [
      () => this.#visit(wanted),
      () => this.#setTopics(wanted, number, wanted[number]),
      // The markup will name other topics than the attribute.
      () => this.#setTopics(wanted, number, [...named[number], added]),
    ])();
  }

  get #regions() {
    return [...(this.#window?.document.querySelectorAll("live-region") ?? [])];
  }

  /** @param {JSDOM} dom */
  #furnish(dom) {
    const { window } = dom;
    this.furnish(dom.getInternalVMContext(), window);
    Object.assign(window, { console: this.console, fetch: (...request) => this.#fetch(...request) });
    window.AbortSignal.timeout = (milliseconds) => this.timeout(milliseconds);
    window.document.addEventListener("live:applied", ({ detail }) => this.note("applied", detail));
    window.document.addEventListener("live:gone", ({ detail }) => this.note("mistake", detail));
    const changed = new window.MutationObserver(() => { this.#shown = null; });
    changed.observe(window.document, { subtree: true, childList: true, attributes: true, characterData: true });
  }

  /**
   * Run the client; define the element only when the observer follows the subscriptions.
   * @param {JSDOM} dom
   */
  async #runClient(dom) {
    const { customElements } = dom.window;
    const define = customElements.define.bind(customElements);
    /** @type {[string, any]} */ let region;
    customElements.define = (...definition) => { region = definition; };
    const { connect } = await importInto(dom.getInternalVMContext(), this.root, "realtime/live.js");
    customElements.define = define;
    const { url } = JSON.parse(dom.window.document.getElementById("live-head").textContent);
    this.live = connect(url);
    this.observer.follow(this.live, ({ cursor }) => (cursor ? this.#since : monotonic()));
    define(...region);
  }

  /**
   * The page's `fetch()`.
   * @param {string} url
   * @param {any} options
   */
  async #fetch(url, { headers, signal }) {
    const { pathname, search } = new URL(url);
    const began = monotonic();
    const { status, body } = await this.request(pathname + search, headers, signal);
    this.#since = began;
    return { type: "basic", status, ok: status === 200, text: async () => body };
  }

  /**
   * Go to another page by replacing the body, as some libraries do.
   * @param {string[][]} regions
   */
  async #visit(regions) {
    const address = addressOf(regions);
    const began = monotonic();
    const html = await this.fetch(address);
    if (this.hasEnded) return;
    const { DOMParser, document, history } = this.#window;
    const fresh = new DOMParser().parseFromString(html, "text/html");
    history.pushState(null, "", address);
    this.#since = began;
    document.getElementById("live-head").textContent = fresh.getElementById("live-head").textContent;
    document.body.innerHTML = fresh.body.innerHTML;
  }

  /**
   * Change a region's topics and the page's address, as a script does.
   * @param {string[][]} wanted the topics of the regions in the address
   * @param {number} number of the region
   * @param {string[]} topics
   */
  async #setTopics(wanted, number, topics) {
    this.#window.history.pushState(null, "", addressOf(wanted));
    this.#regions[number].setAttribute("topic", topics.join(" "));
  }
}

/** @param {string[][]} regions */
function addressOf(regions) {
  return `/regions/?${regions.map((topics) => `region=${topics.join("+")}`).join("&")}`;
}

/** @param {any} region */
function topicsOf(region) {
  return region.getAttribute("topic").split(" ");
}

/**
 * Topic -> rows of a region; no rows for a topic of its attribute that it does not show.
 * @param {any} region
 */
function rowsOf(region) {
  const named = topicsOf(region).map((topic) => [topic, {}]);
  const lists = [...region.querySelectorAll("[data-topic]")].map((list) => [
    list.dataset.topic,
    Object.fromEntries([...list.children].map((row) => [row.dataset.pk, JSON.parse(row.textContent)])),
  ]);
  return Object.fromEntries([...named, ...lists]);
}

/** An uncaught error of the page ends this process, and with it the round. */
function crash(error) {
  // In a later turn, since jsdom or the client might catch it here.
  setImmediate(() => { throw error.detail ?? error; });
}
