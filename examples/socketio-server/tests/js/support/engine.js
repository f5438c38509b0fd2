// Engine.IO by hand: requests of the polling transport, and WebSockets whose messages wait to be taken.

import { once } from "node:events";
import WebSocket from "ws";
import { withPatience } from "./patience.js";

/** The separator of packets in a payload. */
export const RS = "\x1e";

/** What one server understands: its address, and the path of the mode that it runs in. */
export class Endpoint {
  constructor(url, path) {
    this.base = url + path;
  }

  address(query) {
    return `${this.base}?${new URLSearchParams(query)}`;
  }

  request(query, init) {
    return withPatience(fetch(this.address(query), init), "the answer to a request");
  }

  async openPolling() {
    const response = await this.request({ EIO: 4, transport: "polling" });
    return new Polling(this, JSON.parse((await response.text()).slice(1)).sid);
  }

  webSocket(query) {
    return new Wire(this.address(query).replace("http", "ws"));
  }

  /** Opens a session over WebSocket, and takes its open packet. */
  async openWebSocket() {
    const wire = this.webSocket({ EIO: 4, transport: "websocket" });
    await wire.next();
    return wire;
  }

  /** Begins to upgrade a session, up to the answer to the probe. */
  async probe(sid) {
    const wire = this.webSocket({ EIO: 4, transport: "websocket", sid });
    await wire.opened;
    wire.send("2probe");
    return wire;
  }
}

/** A session over HTTP. */
export class Polling {
  constructor(endpoint, sid) {
    this.endpoint = endpoint;
    this.sid = sid;
  }

  get query() {
    return { EIO: 4, transport: "polling", sid: this.sid };
  }

  get(init) {
    return this.endpoint.request(this.query, init);
  }

  async take() {
    return (await this.get()).text();
  }

  post(body, init) {
    return this.endpoint.request(this.query, { method: "POST", body, ...init });
  }
}

/** A WebSocket. Text is taken as a string, binary as a Buffer. */
export class Wire {
  #messages = [];
  #wake = () => {};

  constructor(address) {
    this.socket = new WebSocket(address);
    this.opened = once(this.socket, "open");
    this.opened.catch(() => {}); // those who care wait for it
    this.socket.on("error", () => {}); // it is closed then
    this.closed = new Promise((resolve) => this.socket.on("close", (code) => resolve(code)));
    this.socket.on("message", (data, isBinary) => {
      this.#messages.push(isBinary ? data : data.toString());
      this.#wake();
    });
  }

  send(data) {
    this.socket.send(data);
  }

  /** Takes the next message. */
  async next() {
    if (this.#messages.length === 0) {
      const arrived = new Promise((resolve) => (this.#wake = resolve));
      const closed = this.closed.then((code) => `closed with ${code}`);
      const why = await withPatience(Promise.race([arrived, closed]), "a message");
      if (this.#messages.length === 0) throw new Error(why);
    }
    return this.#messages.shift();
  }

  /** Waits until the server has closed it, because of something, and returns the messages that came before. */
  async end(cause = "what came before") {
    await withPatience(this.closed, `the close for ${cause}`);
    return this.#messages.splice(0);
  }

  close() {
    this.socket.close();
  }
}
