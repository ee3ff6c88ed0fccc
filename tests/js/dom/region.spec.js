import { page } from "../../../realtime/static/realtime/region/page.js";
import { equal, ok, until } from "../support/assert.js";
import { RegionPage, both, byId, onePage, region, turn } from "../support/region_page.js";

export const tests = {
  async "a region subscribes from the cursor at which the page was rendered"() {
    const { server, live, fetches } = await onePage();

    equal(server.asked, [{ topic: "list:5", cursor: "c0" }]);
    equal(live.state, "live");
    equal(document.documentElement.dataset.liveState, "live");
    equal(fetches.length, 0);
  },

  async "a region that is told of a change fetches this page and takes over its content"() {
    const made = await onePage("<p id='a'>old</p>");
    const paragraph = byId("a");
    await made.server.change("list:5", "c1", { entered: ["7"] });
    await turn();
    const { url, cache, credentials, headers } = made.fetched;
    equal([url, cache, credentials], [location.href, "no-store", "same-origin"]);
    equal(headers["Live-Region"], "r");

    await made.answer(region("<p id='a'>new</p>"));

    equal([paragraph.textContent, byId("a") === paragraph], ["new", true]);
    equal(made.events["live:applied"], [
      {
        changes: { "app.row": { entered: ["7"], updated: [], left: [] } },
        reset: null,
        topics: ["list:5"],
        target: "r",
      },
    ]);
    equal(made.fetches.length, 1);
  },

  async "the cursor moves when the content is applied, not when the message arrives"() {
    const made = await onePage();
    await made.server.change("list:5", "c1");
    await turn();
    await made.server.close();
    await until(() => made.server.sockets.length === 2);
    await made.server.welcome();
    equal(made.server.asked, [{ topic: "list:5", cursor: "c0" }]);

    await made.answer(region("new"));
    await made.server.close();
    await until(() => made.server.sockets.length === 3);
    await made.server.welcome();

    equal(made.server.asked, [{ topic: "list:5", cursor: "c1" }]);
  },

  async "without an entry in the head, a region catches up once it is confirmed"() {
    const made = new RegionPage(region("old"));
    await made.open();
    await turn();
    equal(made.server.asked, [{ topic: "list:5" }]);
    equal(made.fetches.length, 1);

    await made.answer(region("new"));

    equal(byId("r").textContent, "new");
    equal(made.fetches.length, 1);
  },

  async "messages during a refetch, of any topic, cause exactly one more"() {
    const topic = "list:5 list:6";
    const made = new RegionPage(region("old", { topic }), { "list:5": "c0", "list:6": "c0" });
    await made.open();
    await made.server.change("list:5", "c1", { left: ["1"] });
    await turn();
    await made.server.change("list:5", "c2", { left: ["2"] });
    await made.server.change("list:6", "c3", { left: ["3"] });
    await made.server.change("list:5", "c4", { left: ["4"] });
    await turn();
    equal(made.fetches.length, 1);

    await made.answer(region("new", { topic }));
    equal(made.fetches.length, 2);
    await made.answer(region("newer", { topic }));
    await turn();

    equal(made.fetches.length, 2);
    equal(byId("r").textContent, "newer");
    const [first, second] = made.events["live:applied"];
    equal(first.changes["app.row"].left, ["1"]);
    equal(second.changes["app.row"].left.sort(), ["2", "3", "4"]);
    equal(second.topics.sort(), ["list:5", "list:6"]);
    equal(made.events["live:applied"].length, 2);
  },

  async "regions that are told by one frame share one fetch"() {
    const made = new RegionPage(both("old"), { "list:5": "c0", "list:6": "c0" });
    await made.open();

    await made.server.send({
      type: "changed",
      topics: { "list:5": { cursor: "c1", reset: "bulk" }, "list:6": { cursor: "c1", reset: "bulk" } },
    });
    await turn();
    equal(made.fetches.length, 1);
    equal(made.fetched.headers["Live-Region"], "r, s");
    await made.answer(both("new"));

    equal([byId("r").textContent, byId("s").textContent], ["new", "new"]);
    equal(made.events["live:applied"].map(({ target, reset }) => [target, reset]), [
      ["r", "bulk"],
      ["s", "bulk"],
    ]);
  },

  async "a fetch that began before the message does not count for another region either"() {
    const made = new RegionPage(both("old"), { "list:5": "c0", "list:6": "c0" });
    await made.open();
    await made.server.change("list:5", "c1");
    await turn();
    await made.server.change("list:6", "c2");

    await made.answer(both("first"));
    equal([byId("r").textContent, byId("s").textContent], ["first", "old"]);
    equal(made.fetches.length, 2);
    await made.answer(both("second"));

    equal([byId("r").textContent, byId("s").textContent], ["first", "second"]);
  },

  async "a response for a page that the user left meanwhile is dropped"() {
    const made = await onePage();
    await made.server.change("list:5", "c1");
    await turn();
    history.pushState(null, "", "/blank?other");

    await made.answer(region("of the other page"));
    equal(byId("r").textContent, "old");
    equal(made.fetched.url, location.href);
    await made.answer(region("new"));

    equal(byId("r").textContent, "new");
  },

  async "a failed refetch is visible, is retried, and loses no change"() {
    const made = await onePage();
    await made.server.change("list:5", "c1", { left: ["1"] });
    await turn();

    await made.fetched.answer("oops", { status: 503 });
    equal([made.live.state, byId("r").hasAttribute("data-live-stale")], ["stale", true]);
    await until(() => made.fetches.length === 2);
    await made.fetched.fail();
    await until(() => made.fetches.length === 3);
    await made.answer(region("new"));

    equal([made.live.state, byId("r").hasAttribute("data-live-stale")], ["live", false]);
    equal(byId("r").textContent, "new");
    equal(made.events["live:applied"].map(({ changes }) => changes["app.row"].left), [["1"]]);
  },

  async "a page that the server denies to this user is gone"() {
    for (const status of [401, 403, 404, 410]) {
      const made = await onePage();
      await made.server.change("list:5", "c1");
      await turn();

      await made.fetched.answer(region("not yours"), { status });

      equal(made.events["live:gone"], [{ reason: String(status), target: "r" }]);
      equal(byId("r").textContent, "old");
      byId("r").remove();
      await turn();
    }
  },

  async "a page that redirects is gone, and is reloaded unless a listener prevents that"() {
    const realFetch = globalThis.fetch;
    const made = await onePage();
    globalThis.fetch = realFetch;
    history.pushState(null, "", "/tests"); // the server redirects folders to /tests/
    let reloads = 0;
    page.reload = () => reloads++;

    await made.server.change("list:5", "c1");
    await until(() => made.events["live:gone"].length === 1);
    equal(made.events["live:gone"][0].reason, "redirected");
    equal(reloads, 0);
    document.body.addEventListener("live:gone", (event) => event.stopPropagation());
    await made.server.change("list:5", "c2");
    await until(() => reloads === 1);
  },

  async "a region that is missing in the fetched page is gone"() {
    const made = await onePage();
    await made.server.change("list:5", "c1");
    await turn();

    await made.answer("<p>no region here</p>");

    equal(made.events["live:gone"], [{ reason: "missing", target: "r" }]);
  },

  async "a region watches the topics of the new markup, at that markup's cursors"() {
    const made = await onePage();
    await made.server.change("list:5", "c1");
    await turn();

    await made.answer(region("new", { topic: "list:6 list:7" }), { "list:6": "c6" });

    equal(byId("r").getAttribute("topic"), "list:6 list:7");
    equal(made.server.sent.slice(-2), [
      { type: "unsubscribe", topics: ["list:5"] },
      {
        type: "subscribe",
        subscriptions: [{ topic: "list:6", cursor: "c6" }, { topic: "list:7" }],
      },
    ]);
  },

  async "a script may change the topics, too"() {
    const made = await onePage();

    byId("r").setAttribute("topic", "list:8");
    await turn();

    equal(made.server.sent.slice(-2), [
      { type: "unsubscribe", topics: ["list:5"] },
      { type: "subscribe", subscriptions: [{ topic: "list:8" }] },
    ]);
  },

  async "a topic that a script sets again catches up, although the page was loaded with it"() {
    const made = await onePage();
    byId("r").setAttribute("topic", "list:8");
    await turn();
    await made.confirm();
    await turn();
    await made.answer(region("eight", { topic: "list:8" }), { "list:8": "c8" });

    byId("r").setAttribute("topic", "list:5");
    await turn();
    equal(made.server.asked, [{ topic: "list:5" }]);
    await made.confirm();
    await turn();
    await made.answer(region("five"), { "list:5": "c9" });

    equal(byId("r").textContent, "five");
  },

  async "a region without an id is found by its topic and place"() {
    const two = (a, b) =>
      `<live-region topic="list:5">${a}</live-region><live-region topic="list:5">${b}</live-region>`;
    const made = new RegionPage(two("a", "b"), { "list:5": "c0" });
    await made.open();
    await made.server.change("list:5", "c1");
    await turn();
    equal(made.fetched.headers["Live-Region"], "list:5");

    await made.answer(two("A", "B"));

    equal(document.body.textContent, "AB");
    equal(made.server.asked.length, 1);
  },

  async "a region inside newly inserted markup watches from that markup's cursor"() {
    const made = await onePage();
    await made.server.change("list:5", "c1");
    await turn();

    const inner = region("inner", { id: "i", topic: "task:1" });
    await made.answer(region(`<p>new</p>${inner}`), { "list:5": "c2", "task:1": "c2" });

    equal(made.server.asked, [{ topic: "task:1", cursor: "c2" }]);
    equal(made.events["live:inserted"].map(({ target }) => target), ["", "i"]);
    equal(made.fetches.length, 1);
  },

  async "a region that its outer region removes is not gone"() {
    const inner = region("inner", { id: "i", topic: "task:1" });
    const made = new RegionPage(region(inner), { "list:5": "c0", "task:1": "c0" });
    await made.open();

    await made.server.change("task:1", "c1");
    await turn();
    await made.answer(region("empty"));

    equal(byId("r").textContent, "empty");
    equal(made.events["live:gone"], []);
    equal(made.server.sent.at(-1), { type: "unsubscribe", topics: ["task:1"] });
  },

  async "a region that is moved stays subscribed, one that is removed does not"() {
    const made = await onePage();
    const before = made.server.sent.length;
    const element = byId("r");

    document.body.prepend(element);
    await turn();
    equal(made.server.sent.length, before);
    element.remove();
    await turn();

    equal(made.server.sent.at(-1), { type: "unsubscribe", topics: ["list:5"] });
  },

  async "a region that is put back goes on from its content's cursor"() {
    const made = await onePage();
    await made.server.change("list:5", "c1");
    await turn();
    await made.answer(region("new"), { "list:5": "c9" });
    const element = byId("r");
    element.remove();
    await turn();

    document.body.append(element);
    await turn();

    equal(made.server.asked, [{ topic: "list:5", cursor: "c1" }]);
  },

  async "an id of any characters may stand in the header"() {
    const made = new RegionPage(region("old", { id: "größe-☂" }), { "list:5": "c0" });
    await made.open();

    await made.server.change("list:5", "c1");
    await turn();

    new Headers(made.fetched.headers); // throws if it may not
  },

  async "a page whose head is not JSON still works"() {
    const made = new RegionPage("");
    document.head.innerHTML = '<script type="application/json" id="live-head">{</script>';
    console.error = () => {};
    document.body.innerHTML = region("old");
    await made.open();
    await turn();

    ok(made.server.socket.url.endsWith("/ws/live/"));
    equal(made.fetches.length, 1);
  },

  async "a page that was just reloaded is not reloaded again"() {
    const original = performance.getEntriesByType;
    performance.getEntriesByType = () => [{ type: "reload" }];
    let error = null;
    try {
      page.reload();
    } catch (caught) {
      error = caught;
    }
    performance.getEntriesByType = original;

    ok(error instanceof Error, "expected an error, to be retried later");
  },
};
