import { connect } from "../../../realtime/static/realtime/live.js";
import { settle } from "./fake_clock.js";
import { FakeServer } from "./fake_server.js";

let pages = 0;

export const byId = (id) => document.getElementById(id);

/** The markup of a region; `rest` is more attributes. */
export const region = (content, { id = "r", topic = "list:5", rest = "" } = {}) =>
  `<live-region id="${id}" topic="${topic}" ${rest}>${content}</live-region>`;

/** The markup of two regions, of list:5 and list:6. */
export const both = (content, rest = {}) =>
  region(content, { rest: rest.r }) + region(content, { id: "s", topic: "list:6", rest: rest.s });

/** A page with one region, confirmed at c0. */
export async function onePage(content = "old", options) {
  const made = new RegionPage(region(content, options), { "list:5": "c0" });
  await made.open();
  return made;
}

/** A page with live regions. The test plays its server, for the websocket and for the markup. */
export class RegionPage {
  server = new FakeServer();
  /** Every fetch of the page so far: {url, headers, answer(html, init), fail()}. */
  fetches = [];
  /** The details of the events that reached the document, by type. */
  events = { "live:applied": [], "live:inserted": [], "live:gone": [] };

  /**
   * @param {string} html the body
   * @param {object} topics of #live-head, {topic: cursor}
   * @param {object} options `random`, by which retries come at once unless given; `tickets` and
   *   `jitter` of #live-head
   */
  constructor(html, topics = {}, { random = () => 0, tickets, jitter } = {}) {
    globalThis.WebSocket = this.server.WebSocket;
    Math.random = random;
    this.jitter = jitter;
    globalThis.fetch = (url, init) => this.#fetch(url, init);
    this.url = `/ws/${++pages}/`;
    for (const [type, details] of Object.entries(this.events)) {
      document.addEventListener(type, (event) => {
        details.push({ ...event.detail, target: event.target.id });
        if (type === "live:gone") event.preventDefault();
      });
    }
    document.head.innerHTML = this.head(topics, tickets);
    document.body.innerHTML = html;
  }

  get live() {
    return connect(this.url);
  }

  head(topics, tickets = {}) {
    const entries = Object.entries(topics).map(([topic, cursor]) => ({
      topic,
      cursor,
      ticket: tickets[topic],
    }));
    const json = JSON.stringify({ url: this.url, topics: entries, jitter: this.jitter });
    return `<script type="application/json" id="live-head">${json}</script>`;
  }

  /** Welcome the client and confirm its topics, at the cursors that it sent, or c0. */
  async open() {
    await this.server.welcome();
    await this.confirm();
  }

  async confirm() {
    const asked = this.server.asked.map(({ topic, cursor }) => [topic, cursor ?? "c0"]);
    await this.server.confirm(Object.fromEntries(asked));
  }

  get fetched() {
    return this.fetches.at(-1);
  }

  /** Answer the last fetch of the page. */
  async answer(html, topics = {}, tickets = {}) {
    await this.fetched.answer(`<head>${this.head(topics, tickets)}</head><body>${html}</body>`);
  }

  #fetch(url, init) {
    return new Promise((resolve, reject) => {
      const answer = async (html, { status = 200 } = {}) => {
        // Not a Response: its body would arrive at a time of the browser's choice.
        resolve({ status, ok: status < 300, type: "basic", text: async () => html });
        await turn();
      };
      const fail = async () => {
        reject(new TypeError("network error"));
        await turn();
      };
      this.fetches.push({ url, ...init, answer, fail });
    });
  }
}

/** Let all that is due run: a refetch begins in a task of its own. */
export async function turn() {
  for (let i = 0; i < 3; i++) await settle();
}

/** Record the timers that are set from now on, in milliseconds. */
export function recordWaits() {
  const waits = [];
  const { setTimeout } = globalThis;
  globalThis.setTimeout = (run, milliseconds) => {
    waits.push(milliseconds);
    return setTimeout(run, milliseconds);
  };
  return waits;
}
