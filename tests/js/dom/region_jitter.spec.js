import { equal, ok, until } from "../support/assert.js";
import { RegionPage, both, byId, recordWaits, region, turn } from "../support/region_page.js";

const TOPICS = { "list:5": "c0", "list:6": "c0" };
const BULK = { cursor: "c1", reset: "bulk" };
const ALL_RESET = { type: "changed", topics: { "list:5": BULK, "list:6": BULK } };

/** A page of one or two regions that draw one half of each wait. */
async function makePage(html, options = {}) {
  const made = new RegionPage(html, TOPICS, { random: () => 0.5, ...options });
  await made.open();
  return made;
}

export const tests = {
  async "a region spreads resets of all clients over a second, and fetches for changes at once"() {
    const made = await makePage(region("old"));
    const waits = recordWaits();

    await made.server.reset("list:5", "c1");
    await turn();
    equal(made.fetches.length, 0);
    await until(() => made.fetches.length === 1);
    ok(waits.includes(500), `${waits}`);
    await made.answer(region("new"), TOPICS);
    await made.server.change("list:5", "c2");
    await turn();

    equal([made.fetches.length, byId("r").textContent], [2, "new"]);
  },

  async "the server may set the spread"() {
    const made = await makePage(region("old"), { jitter: 200 });
    const waits = recordWaits();

    await made.server.reset("list:5", "c1");
    await until(() => made.fetches.length === 1);

    ok(waits.includes(100) && !waits.includes(500), `${waits}`);
  },

  async "a region's own jitter is for changes too, and overrides the server's"() {
    const made = await makePage(region("old", { rest: 'jitter="200"' }), { jitter: 50_000 });
    const waits = recordWaits();

    await made.server.change("list:5", "c1", { left: ["1"] });
    await made.server.reset("list:5", "c2");
    equal([made.fetches.length, made.live.state], [0, "live"]);
    await until(() => made.fetches.length === 1);

    ok(waits.includes(100) && !waits.includes(25_000), `${waits}`);
  },

  async "a jitter that is not a number is ignored"() {
    const made = await makePage(region("old", { rest: 'jitter="soon"' }));

    await made.server.change("list:5", "c1");
    await turn();

    equal(made.fetches.length, 1);
  },

  async "regions of one page share a fetch, although each has its own jitter"() {
    const rest = { r: 'jitter="60000"', s: 'jitter="200"' };
    const made = await makePage(both("old", rest));

    await made.server.send(ALL_RESET);
    await until(() => made.fetches.length === 1);
    equal(made.fetched.headers["Live-Region"], "r, s");
    await made.answer(both("new", rest), TOPICS);
    await turn();

    equal([byId("r").textContent, byId("s").textContent], ["new", "new"]);
    equal(made.fetches.length, 1);
  },

  async "a region that waits joins the fetch of one that does not"() {
    const made = await makePage(both("old", { r: 'jitter="60000"' }));
    await made.server.change("list:5", "c1");
    await turn();
    equal(made.fetches.length, 0);

    await made.server.change("list:6", "c2");
    await turn();

    equal(made.fetched.headers["Live-Region"].split(", ").sort(), ["r", "s"]);
  },

  async "the jitter may be changed, by a script or by the page"() {
    const made = await makePage(region("old"));
    byId("r").setAttribute("jitter", "60000");
    await made.server.change("list:5", "c1");
    await turn();
    equal(made.fetches.length, 0);

    made.live.wake();
    await turn();
    await made.answer(region("new"), TOPICS);

    equal([byId("r").hasAttribute("jitter"), byId("r").textContent], [false, "new"]);
    equal(made.server.sent.filter(({ type }) => type === "subscribe").length, 1);
  },

  async "a page that is frozen closes its socket, and catches up at once when it is thawed"() {
    const made = await makePage(region("old"), { random: () => 0 });

    document.dispatchEvent(new Event("freeze"));
    equal([made.server.socket.closed, made.live.state], [true, "reconnecting"]);
    document.dispatchEvent(new Event("resume"));
    await until(() => made.server.sockets.length === 2);
    await made.server.welcome();
    equal(made.server.asked, [{ topic: "list:5", cursor: "c0" }]);
    await made.confirm();

    equal(made.live.state, "live");
  },
};
