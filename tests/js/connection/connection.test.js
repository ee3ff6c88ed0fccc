import assert from "node:assert/strict";
import { test } from "node:test";

import { makeConnection, makeOpen } from "../support/connection.js";
import { settle } from "../support/fake_clock.js";
import { quietConsole } from "../support/quiet.js";

test("a connection is open when the server has welcomed it", async () => {
  const { connection, server, heard } = makeConnection();
  connection.open();
  assert.equal(connection.state, "connecting");

  await server.welcome();

  assert.equal(connection.state, "open");
  assert.deepEqual(heard, ["opened"]);
});

test("a connection without a welcome is given up, and another attempt follows", async () => {
  const { connection, server, clock } = makeConnection();
  connection.open();

  await clock.advance(10_000);
  assert.equal(connection.state, "waiting");
  assert.equal(server.sockets[0].closed, true);
  await clock.advance(500);

  assert.equal(server.sockets.length, 2);
});

test("a WebSocket whose constructor throws is tried again", async (t) => {
  quietConsole(t);
  const { connection, server, clock } = makeConnection();
  server.failure = new Error("blocked");
  connection.open();
  assert.equal(connection.state, "waiting");

  server.failure = null;
  await clock.advance(500);
  await server.welcome();

  assert.equal(connection.state, "open");
});

test("a lost connection is reopened after a random wait that grows", async () => {
  const { server, clock } = await makeOpen();

  const attempts = [];
  for (const wait of [499, 1, 999, 1, 1_999, 1]) {
    if (!server.socket.closed) await server.close(1006);
    await clock.advance(wait);
    attempts.push(server.sockets.length);
  }

  assert.deepEqual(attempts, [1, 2, 2, 3, 3, 4]);
});

test("a connection that lasted resets the backoff", async () => {
  const { connection, server, clock } = await makeOpen();
  for (let i = 0; i < 5; i++) {
    await server.close(1006);
    await clock.advance(30_000);
  }
  await server.welcome();
  connection.proved();
  await clock.advance(10_000);
  connection.proved(); // as with each later subscription
  const before = server.sockets.length;

  await server.close(1006);
  await clock.advance(500);

  assert.equal(server.sockets.length, before + 1);
});

test("pings are answered with their seq", async () => {
  const { server } = await makeOpen();

  await server.send({ type: "ping", seq: 7 });

  assert.deepEqual(server.sent, [{ type: "pong", seq: 7 }]);
});

for (const code of [4401, 4403]) {
  test(`close code ${code} refuses: no new attempt before a long wait`, async () => {
    const { connection, server, clock } = await makeOpen();

    await server.close(code);
    assert.equal(connection.state, "refused");
    await clock.advance(44_999);
    assert.equal(server.sockets.length, 1);
    await clock.advance(1);

    assert.equal(server.sockets.length, 2);
  });
}

for (const code of [1012, 1013, 4503]) {
  test(`close code ${code} reconnects, spread over five seconds`, async () => {
    const { connection, server, clock } = await makeOpen();

    await server.close(code);
    assert.equal(connection.state, "waiting");
    await clock.advance(2_499);
    assert.equal(server.sockets.length, 1);
    await clock.advance(1);

    assert.equal(server.sockets.length, 2);
  });
}

for (const code of [4429, 4504]) {
  test(`close code ${code} reconnects late, and is no refusal`, async () => {
    const { connection, server, clock } = await makeOpen();

    await server.close(code);
    assert.equal(connection.state, "waiting");
    await clock.advance(44_999);
    assert.equal(server.sockets.length, 1);
    await clock.advance(1);

    assert.equal(server.sockets.length, 2);
  });
}

for (const code of [1000, 1001, 1006, 4408, 4999]) {
  test(`close code ${code} is an ordinary loss`, async () => {
    const { server, clock } = await makeOpen();

    await server.close(code);
    await clock.advance(500);

    assert.equal(server.sockets.length, 2);
  });
}

test("a server of another protocol version counts as a refusal, and is logged", async (t) => {
  const said = quietConsole(t);
  const { connection, server, heard } = makeConnection();
  connection.open();

  await server.welcome({ protocol: 2 });

  assert.equal(connection.state, "refused");
  assert.match(said.error[0], /expected protocol 1, got 2/);
  assert.deepEqual(heard, ["lost"]);
});

for (const text of ["{", "null", "[]x"]) {
  test(`a frame that is not understood (${text}) is a loss: reopen`, async (t) => {
    quietConsole(t);
    const { connection, server } = await makeOpen();

    await server.send(text);

    assert.equal(connection.state, "waiting");
    assert.equal(server.sockets[0].closed, true);
  });
}

test("a frame whose handler throws is a loss: reopen", async (t) => {
  quietConsole(t);
  const received = () => {
    throw new Error("bug");
  };
  const { connection, server, heard } = await makeOpen({ received });

  await server.send({ type: "changed", topics: {} });

  assert.equal(connection.state, "waiting");
  assert.deepEqual(heard, ["opened", "changed", "lost"]);
});

test("the server's error frame is logged, and the connection stays", async (t) => {
  const said = quietConsole(t);
  const { connection, server } = await makeOpen();

  await server.send({ type: "error", code: "bad-frame", message: "expected a list" });

  assert.equal(connection.state, "open");
  assert.match(said.error[0], /bad-frame expected a list/);
});

test("events of a socket that was given up are ignored", async () => {
  const { connection, server, clock, heard } = await makeOpen();
  const [old] = server.sockets;
  await clock.advance(62_500);
  await clock.advance(500);
  await server.welcome();
  const before = heard.length;

  await server.send({ type: "changed", topics: {} }, old);
  await server.close(1006, old);

  assert.equal(heard.length, before);
  assert.equal(connection.state, "open");
});

test("no frame is sent before the welcome or after the end", async () => {
  const { connection, server } = makeConnection();
  connection.open();
  connection.send({ type: "ping" });
  await server.welcome();
  await server.close();

  connection.send({ type: "ping" });
  await settle();

  assert.deepEqual(server.sent, []);
});
