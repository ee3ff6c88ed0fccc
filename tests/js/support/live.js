import { Live } from "../../../realtime/static/realtime/connection/client.js";
import { FakeClock } from "./fake_clock.js";
import { FakeServer } from "./fake_server.js";

/** A client with a fake clock, server and a random of one half. */
export function makeLive({ random = () => 0.5 } = {}) {
  const clock = new FakeClock();
  const server = new FakeServer();
  const live = new Live("ws://test/ws/live/", { clock, random, WebSocket: server.WebSocket });
  return { live, clock, server };
}

/** The same, already welcomed, with one confirmed subscription of "list:5" from cursor c0. */
export async function makeWatching(handler, options = { cursor: "c0" }) {
  const made = makeLive();
  const subscription = made.live.subscribe("list:5", options, handler);
  await made.server.welcome();
  await made.server.confirm({ "list:5": "c0" });
  return { ...made, subscription };
}

/** Lose the connection, wait for the next attempt, and welcome it. */
export async function reconnect({ clock, server }, code = 1006) {
  await server.close(code);
  await nextWelcome({ clock, server });
}

/** Wait for the client's next attempt, and welcome it. */
export async function nextWelcome({ clock, server }) {
  const before = server.sockets.length;
  for (let waited = 0; server.sockets.length === before; waited += 250) {
    if (waited > 120_000) throw new Error("the client does not come back");
    await clock.advance(250);
  }
  await server.welcome();
}
