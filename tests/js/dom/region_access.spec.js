import { equal, until } from "../support/assert.js";
import { RegionPage, both, byId, onePage, recordWaits, region, turn } from "../support/region_page.js";

/** Lose the connection, wait for the next attempt, and welcome it. */
async function reconnect({ server }) {
  const before = server.sockets.length;
  await server.close();
  await until(() => server.sockets.length > before);
  await server.welcome();
}

export const tests = {
  async "a region whose access is revoked fetches the page to see whether it still shows the topic"() {
    const made = await onePage();
    await made.server.send({ type: "revoked", topics: ["list:5"] });
    equal(byId("r").hasAttribute("data-live-denied"), true);
    await until(() => made.fetches.length === 1);

    await made.fetched.answer("no", { status: 403 });

    equal(made.events["live:gone"], [{ reason: "403", target: "r" }]);
  },

  async "a check after a denial is repeated until it gets an answer"() {
    const made = await onePage();
    await made.server.send({ type: "denied", topics: { "list:5": "not asked" } });
    await made.server.send({ type: "revoked", topics: ["list:5"] });
    await until(() => made.fetches.length === 1);

    await made.fetched.fail();
    await until(() => made.fetches.length === 2);
    await made.answer(region("new"));

    equal(byId("r").textContent, "new");
  },

  async "a region that was denied asks again as long as the page shows the topic"() {
    const made = new RegionPage(region("old"));
    await made.server.welcome();
    await made.server.send({ type: "denied", topics: { "list:5": "ticket expired" } });
    await until(() => made.fetches.length === 1);
    await made.answer(region("new"), { "list:5": "c5" }, { "list:5": "fresh" });
    equal(made.server.asked, [{ topic: "list:5", cursor: "c5", ticket: "fresh" }]);

    await made.server.send({ type: "denied", topics: { "list:5": "no" } });
    equal([made.live.state, byId("r").hasAttribute("data-live-denied")], ["stale", true]);
    await until(() => made.fetches.length === 2);
    await made.answer(region("new"), { "list:5": "c6" }, { "list:5": "fresh" });

    equal(made.server.asked, [{ topic: "list:5", cursor: "c6", ticket: "fresh" }]);
    await made.confirm();
    equal([made.live.state, byId("r").hasAttribute("data-live-denied")], ["live", false]);
  },

  async "a denied topic that the page does not show any more is settled"() {
    const made = await onePage();
    await made.server.send({ type: "revoked", topics: ["list:5"] });
    equal(made.live.state, "stale");
    await until(() => made.fetches.length === 1);

    await made.answer(region("new", { topic: "list:6" }), { "list:6": "c1" });
    await made.confirm();

    equal([made.live.state, byId("r").hasAttribute("data-live-denied")], ["live", false]);
  },

  async "a renewed ticket is used for the next connection"() {
    const made = await onePage();
    await made.server.change("list:5", "c1");
    await turn();
    await made.answer(region("new"), { "list:5": "c2" }, { "list:5": "renewed" });

    await made.server.close();
    await until(() => made.server.sockets.length === 2);
    await made.server.welcome();

    equal(made.server.asked, [{ topic: "list:5", cursor: "c1", ticket: "renewed" }]);
  },

  async "a ticket that expired while away is replaced by the fetched page's, at once"() {
    const made = new RegionPage(region("old"), { "list:5": "c0" }, { tickets: { "list:5": "old" } });
    await made.open();
    for (const ticket of ["second", "third", "fourth", "fifth", "sixth"]) {
      await reconnect(made);
      const before = made.fetches.length;
      await made.server.send({ type: "denied", topics: { "list:5": "not allowed" } });
      await until(() => made.fetches.length > before);
      await made.answer(region("new"), { "list:5": "c1" }, { "list:5": ticket });
      equal(made.server.asked, [{ topic: "list:5", cursor: "c1", ticket }]);
      await made.confirm();
    }

    equal([made.live.state, byId("r").textContent], ["live", "new"]);
  },

  async "the first look after each reconnect is spread over one second"() {
    const random = () => 0.1;
    const made = new RegionPage(region("old"), { "list:5": "c0" }, { random });
    await made.open();
    const waits = recordWaits();
    for (let i = 1; i < 4; i++) {
      await reconnect(made);
      waits.length = 0;
      await made.server.send({ type: "denied", topics: { "list:5": "not allowed" } });
      equal(waits, [100]);
      await until(() => made.fetches.length === i);
      await made.answer(region("new"), { "list:5": "c1" });
      await made.confirm();
    }
  },

  async "every refetch renews the tickets of all regions"() {
    const topics = { "list:5": "c0", "list:6": "c0" };
    const made = new RegionPage(both("old"), topics, {
      tickets: { "list:5": "old5", "list:6": "old6" },
    });
    await made.open();
    await made.server.change("list:5", "c1");
    await turn();
    await made.answer(both("new"), topics, { "list:5": "new5", "list:6": "new6" });

    await reconnect(made);

    equal(made.server.asked, [
      { topic: "list:5", cursor: "c1", ticket: "new5" },
      { topic: "list:6", cursor: "c0", ticket: "new6" },
    ]);
  },

  async "a denied region asks when it has looked, not with the ticket of another region's fetch"() {
    const topics = { "list:5": "c0", "list:6": "c0" };
    const made = new RegionPage(both("old"), topics, { random: () => 0.9 });
    await made.open();
    await reconnect(made);
    const asked = made.server.asked;
    await made.server.confirm({ "list:5": "c0" });
    await made.server.send({ type: "denied", topics: { "list:6": "not allowed" } });
    await made.server.change("list:5", "c1");
    await turn();
    await made.answer(both("new"), topics, { "list:6": "fresh" });
    equal(made.server.asked, asked);

    await until(() => made.fetches.length === 2);
    await made.answer(both("newer"), { ...topics, "list:6": "c2" }, { "list:6": "fresh" });

    equal(made.server.asked, [{ topic: "list:6", cursor: "c2", ticket: "fresh" }]);
    await made.confirm();
    equal([byId("s").textContent, made.live.state], ["newer", "live"]);
  },

  async "the head that the page was loaded with does not bring an old ticket back"() {
    const topics = { "list:5": "c0" };
    const made = new RegionPage(region("old"), topics, { tickets: { "list:5": "old" } });
    await made.open();
    await made.server.change("list:5", "c1");
    await turn();
    await made.answer(region("new"), topics, { "list:5": "new" });

    byId("r").setAttribute("topic", "list:5 list:6");
    await reconnect(made);

    equal(made.server.asked[0], { topic: "list:5", cursor: "c1", ticket: "new" });
  },

  async "regions that are denied look together"() {
    const topics = { "list:5": "c0", "list:6": "c0" };
    const made = new RegionPage(both("old"), topics);
    await made.open();
    const shares = [0.05, 0.1, 0.01];
    Math.random = () => shares.shift() ?? 0;

    await made.server.send({ type: "revoked", topics: ["list:5", "list:6"] });
    await until(() => made.fetches.length === 1);
    equal(made.fetched.headers["Live-Region"], "r, s");
    await made.answer(both("new"), topics, { "list:5": "t5", "list:6": "t6" });
    await made.confirm();

    equal([byId("r").textContent, byId("s").textContent], ["new", "new"]);
    equal([made.fetches.length, made.live.state], [1, "live"]);
  },

  async "markup that was fetched before access ended is not shown after it"() {
    const made = await onePage();
    await made.server.change("list:5", "c1");
    await turn();
    await made.server.send({ type: "revoked", topics: ["list:5"] });

    await made.answer(region("of before"), { "list:5": "c1" }, { "list:5": "of before" });
    equal(byId("r").textContent, "old");
    equal(made.server.asked, [{ topic: "list:5", cursor: "c0" }]);
    await until(() => made.fetches.length === 2);
    await made.answer(region("still shown"), { "list:5": "c2" }, { "list:5": "fresh" });

    equal(made.server.asked, [{ topic: "list:5", cursor: "c2", ticket: "fresh" }]);
    await made.confirm();
    equal([byId("r").textContent, made.live.state], ["still shown", "live"]);
    equal(byId("r").hasAttribute("data-live-stale"), false);
  },

  async "a fetch that begins after access ended is applied, although it was requested before"() {
    const topic = "list:5 list:6";
    const made = new RegionPage(region("old", { topic }), { "list:5": "c0", "list:6": "c0" });
    await made.open();
    await made.server.change("list:5", "c1");
    await turn();
    await made.server.change("list:6", "c1"); // waits for the fetch that is under way
    await made.server.send({ type: "revoked", topics: ["list:5"] });
    await new Promise((resolve) => setTimeout(resolve)); // the region looks, too

    await made.answer(region("of before", { topic }));
    equal([byId("r").textContent, made.fetches.length], ["old", 2]);
    await made.answer(region("new", { topic: "list:6" }), { "list:6": "c2" });

    equal(byId("r").textContent, "new");
  },

  async "changes of a region's other topics survive the end of access to one"() {
    const topic = "list:5 list:6";
    const made = new RegionPage(region("old", { topic }), { "list:5": "c0", "list:6": "c0" });
    await made.open();
    await made.server.change("list:6", "c1", { left: ["1"] });
    await turn();
    await made.server.send({ type: "revoked", topics: ["list:5"] });

    await made.answer(region("of before", { topic }));
    equal([byId("r").textContent, made.live.state], ["old", "stale"]);
    for (let answered = 1; made.live.state !== "live"; answered++) {
      await until(() => made.fetches.length > answered);
      await made.answer(region("new", { topic: "list:6" }), { "list:6": "c2" });
    }
    await reconnect(made);

    equal(byId("r").textContent, "new");
    equal(made.server.asked, [{ topic: "list:6", cursor: "c1" }]);
  },
};
