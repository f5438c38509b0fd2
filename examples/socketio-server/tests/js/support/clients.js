// The official client: connecting, and waiting for what it tells.

import { once } from "node:events";
import { io } from "socket.io-client";
import { withPatience } from "./patience.js";

const open = new Set();

/** Makes a socket that has a connection of its own. It is disconnected by `closeClients` at the latest. */
export function client(url, options = {}) {
  const socket = io(url, { forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 200, ...options });
  open.add(socket);
  return socket;
}

/** As `client`, and waits until it is connected. */
export async function connected(url, options) {
  const socket = client(url, options);
  await next(socket, "connect");
  return socket;
}

/** Waits for an event, and returns what it carries: the one argument, or all if there are several. */
export async function next(emitter, event) {
  const args = await withPatience(once(emitter, event), `the event ${event}`);
  return args.length > 1 ? args : args[0];
}

/** Emits, and waits for the answer. */
export function ask(socket, event, ...args) {
  return withPatience(socket.emitWithAck(event, ...args), `the answer to ${event}`);
}

/** Collects what an event carries from now on. */
export function collect(socket, event) {
  const all = [];
  socket.on(event, (...args) => all.push(args.length > 1 ? args : args[0]));
  return all;
}

export function closeClients() {
  open.forEach((socket) => socket.disconnect());
  open.clear();
}
