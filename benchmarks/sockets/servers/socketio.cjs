// Socket.IO with its Redis adapter: a client asks to join a room, and receives the room's messages.
"use strict";
const load = require("node:module").createRequire(`${process.cwd()}/`);
const { Server } = load("socket.io");
const { createAdapter } = load("@socket.io/redis-adapter");
const { createClient } = load("redis");

const [url, fd] = process.argv.slice(2);

async function main() {
  const publishing = createClient({ url });
  const listening = publishing.duplicate();
  await Promise.all([publishing.connect(), listening.connect()]);
  const server = require("node:http").createServer();
  const io = new Server(server, {
    adapter: createAdapter(publishing, listening),
    transports: ["websocket"],
    pingInterval: 300_000,
  });
  io.on("connection", (socket) => {
    socket.on("join", async (room) => {
      await socket.join(room);
      socket.emit("joined", room);
    });
  });
  server.listen({ fd: Number(fd) });
}

main();
