import { Connection } from "../../../realtime/static/realtime/connection/connection.js";
import { FrameHandlers } from "../../../realtime/static/realtime/connection/frame_handlers.js";
import { FakeClock } from "./fake_clock.js";
import { FakeServer } from "./fake_server.js";

/** A connection with a fake clock and server, and a random of one half. */
export function makeConnection({ random = () => 0.5, received = () => {} } = {}) {
  const clock = new FakeClock();
  const server = new FakeServer();
  const heard = [];
  const listener = { opened: () => heard.push("opened"), lost: () => heard.push("lost") };
  const handlers = new FrameHandlers();
  handlers.add("changed", (frame) => {
    heard.push(frame.type);
    received(frame);
  });
  const connection = new Connection("ws://test/", listener, handlers, {
    clock, random, WebSocket: server.WebSocket,
  });
  return { clock, server, connection, heard };
}

/** The same, already welcomed. */
export async function makeOpen(options) {
  const made = makeConnection(options);
  made.connection.open();
  await made.server.welcome();
  return made;
}
