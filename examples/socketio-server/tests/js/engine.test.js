// Engine.IO protocol 4, by hand, in both modes of the server.
//
// What the official suite of the protocol checks, and where that is here:
//
//   handshake    polling    opens                    "open: polling"
//                           invalid EIO              "refused: version"
//                           invalid transport        "refused: transport"
//                           invalid method           "refused: method"
//                WebSocket  opens                    "open: WebSocket"
//                           invalid EIO, transport   "refused: WebSocket"
//   message      polling    one text packet          "echo: polling, one packet"
//                           several text packets     "echo: polling, several packets"
//                           text and binary          "echo: polling, text and binary"
//                           invalid packet           "closed: bad payloads"
//                           duplicate GET            "closed: a second GET"
//                           cancelled GET            "closed: a GET that is given up"
//                WebSocket  text                     "echo: WebSocket, text"
//                           binary                   "echo: WebSocket, binary"
//                           invalid packet           "closed: bad packets"
//   heartbeat    polling    ping and pong            "heartbeat: polling"
//                           timeout                  "heartbeat: polling, timeout"
//                WebSocket  ping and pong            "heartbeat: WebSocket"
//                           timeout                  "heartbeat: WebSocket, timeout"
//   close        polling                             "close: polling"
//                WebSocket                           "close: WebSocket"
//   upgrade      upgrades                            "upgrade: a waiting GET ends with a noop"
//                other HTTP requests                 "upgrade: HTTP is over"
//                another WebSocket                   "upgrade: a second WebSocket"

import assert from "node:assert/strict";
import { request } from "node:http";
import { once } from "node:events";
import { after, describe, it } from "node:test";
import WebSocket from "ws";
import { Endpoint, Polling, RS } from "./support/engine.js";
import { withPatience } from "./support/patience.js";
import { startServer } from "./support/server.js";

const INTERVAL = 300;
const TIMEOUT = 200;
const MAX_PAYLOAD = 20_000;
/** How much earlier than asked for a timer of another process may seem to be over. */
const TOLERANCE = 20;

const QUICK = ["--ping-interval", `${INTERVAL}`, "--ping-timeout", `${TIMEOUT}`];
const MODES = [
  { flag: "--engine-only", path: "/engine.io/" },
  { flag: "--conformance", path: "/socket.io/" },
];

for (const { flag, path } of MODES) {
  const calm = await startServer(flag, "--max-payload", `${MAX_PAYLOAD}`);
  const quick = await startServer(flag, ...QUICK);
  after(() => Promise.all([calm.stop(), quick.stop()]));

  describe(`with ${flag}`, () => {
    const server = new Endpoint(calm.url, path);
    handshake(server);
    closing(server);
    upgrading(server);
    heartbeat(new Endpoint(quick.url, path));
    if (flag === "--engine-only") echo(server);
  });
}

function handshake(server) {
  const options = { pingInterval: 25000, pingTimeout: 20000, maxPayload: MAX_PAYLOAD };

  it("open: polling", async () => {
    const response = await server.request({ EIO: 4, transport: "polling" });
    assert.equal(response.status, 200);
    assert.match(response.headers.get("content-type"), /^text\/plain; charset=utf-8$/i);
    const text = await response.text();
    assert.equal(text[0], "0");
    const { sid, ...rest } = JSON.parse(text.slice(1));
    assert.deepEqual(rest, { upgrades: ["websocket"], ...options });
    assert.ok(typeof sid === "string" && sid.length >= 16, sid);
  });

  it("open: WebSocket", async () => {
    const wire = server.webSocket({ EIO: 4, transport: "websocket" });
    const text = await wire.next();
    assert.equal(text[0], "0");
    const { sid, ...rest } = JSON.parse(text.slice(1));
    assert.deepEqual(rest, { upgrades: [], ...options });
    assert.equal(typeof sid, "string");
    wire.close();
  });

  it("open: no two sessions have one id", async () => {
    const sessions = await Promise.all(Array.from({ length: 50 }, () => server.openPolling()));
    assert.equal(new Set(sessions.map(({ sid }) => sid)).size, 50);
  });

  it("refused: version", async () => {
    for (const version of [{}, { EIO: "abc" }, { EIO: "5" }]) {
      await assertRefused(await server.request({ ...version, transport: "polling" }), 5);
    }
  });

  it("refused: transport", async () => {
    for (const transport of [{}, { transport: "abc" }, { transport: "" }, { transport: "__proto__" }]) {
      await assertRefused(await server.request({ EIO: 4, ...transport }), 0);
    }
  });

  it("refused: method", async () => {
    for (const method of ["POST", "PUT", "DELETE"]) {
      await assertRefused(await server.request({ EIO: 4, transport: "polling" }, { method }), 2);
    }
  });

  it("refused: session", async () => {
    for (const method of ["GET", "POST"]) {
      await assertRefused(await server.request({ EIO: 4, transport: "polling", sid: "nobody" }, { method }), 1);
    }
  });

  it("refused: WebSocket", async () => {
    for (const query of [
      { transport: "websocket" },
      { EIO: "abc", transport: "websocket" },
      { EIO: 4 },
      { EIO: 4, transport: "abc" },
      { EIO: 4, transport: "websocket", sid: "nobody" },
    ]) {
      assert.deepEqual(await server.webSocket(query).end(), [], JSON.stringify(query));
    }
  });

  it("other origins are allowed", async () => {
    const origin = "http://elsewhere.test";
    const response = await server.request({ EIO: 4, transport: "polling" }, { headers: { origin } });
    assert.equal(response.headers.get("access-control-allow-origin"), "*");
    const preflight = await server.request(
      { EIO: 4, transport: "polling" },
      { method: "OPTIONS", headers: { origin, "access-control-request-method": "POST" } },
    );
    assert.ok(preflight.ok, `${preflight.status}`);
    assert.equal(preflight.headers.get("access-control-allow-origin"), "*");
    assert.match(preflight.headers.get("access-control-allow-methods"), /POST/);
  });
}

function closing(server) {
  it("close: polling", async () => {
    const session = await server.openPolling();
    const [waiting] = await Promise.all([session.get(), session.post("1")]);
    assert.equal(waiting.status, 200);
    assert.equal(await waiting.text(), "6");
    await assertRefused(await session.get(), 1);
    await assertRefused(await session.post("4late"), 1);
  });

  it("closed: bad payloads", async () => {
    for (const body of ["abc", "9", `4abc${RS}`, `4abc${RS}x`]) {
      const session = await server.openPolling();
      await session.post(body).catch(() => {}); // it may be cut off
      await assertOver(session, JSON.stringify(body));
    }
  });

  it("closed: bad packets", async () => {
    for (const packet of ["abc", "7", ""]) {
      const wire = await server.openWebSocket();
      wire.send(packet);
      assert.deepEqual(await wire.end(), [], packet);
    }
  });

  it("closed: a second GET", async () => {
    const session = await server.openPolling();
    const first = session.get();
    const second = session.get();
    const statuses = (await Promise.all([first, second])).map(({ status }) => status).sort();
    assert.equal(statuses[0], 200);
    assert.ok([400, 500].includes(statuses[1]), `${statuses}`);
    const texts = await Promise.all([first, second].map(async (response) => (await response).text()));
    assert.ok(texts.includes("1"), "the one that waited is told of the end");
    await assertRefused(await session.get(), 1);
  });

  it("closed: a second POST", async () => {
    const session = await server.openPolling();
    const unfinished = request(server.address(session.query), { method: "POST" });
    unfinished.on("error", () => {}); // it may be cut off
    unfinished.write("4abc");
    // The server is at the first when it has answered a later request; only then the second is one too many.
    await server.openPolling();
    let response;
    do {
      response = await session.post("4def");
    } while (response.status === 200);
    assert.ok([400, 500].includes(response.status), `${response.status}`);
    unfinished.destroy();
    await assertOver(session);
  });

  it("closed: a GET that is given up", async () => {
    const session = await server.openPolling();
    const waiting = request(server.address(session.query));
    waiting.on("error", () => {});
    waiting.end();
    const [connection] = await once(waiting, "socket");
    await once(connection, "connect");
    await server.openPolling(); // by now it has the request
    waiting.destroy();
    // Posts, as another GET would be the second one if the server had not noticed.
    let response;
    do {
      response = await session.post("3");
    } while (response.status === 200);
    assert.equal(response.status, 400);
  });

  it("closed: more than the server takes", async () => {
    const session = await server.openPolling();
    const response = await session.post("4" + "x".repeat(MAX_PAYLOAD)).catch(() => ({ status: 413 }));
    assert.equal(response.status, 413);
    await assertOver(session);
    const wire = await server.openWebSocket();
    wire.send("4" + "x".repeat(MAX_PAYLOAD));
    assert.deepEqual(await wire.end(), []);
  });

  it("of the protocols that a WebSocket offers, the first is taken", async () => {
    const socket = new WebSocket(server.address({ EIO: 4, transport: "websocket" }).replace("http", "ws"), ["chat", "talk"]);
    await withPatience(once(socket, "open"), "the answer to the handshake");
    assert.equal(socket.protocol, "chat");
    socket.terminate();
  });

  it("a session over WebSocket has no HTTP", async () => {
    const wire = server.webSocket({ EIO: 4, transport: "websocket" });
    const { sid } = JSON.parse((await wire.next()).slice(1));
    await assertRefused(await server.request({ EIO: 4, transport: "polling", sid }), 3);
    wire.close();
  });
}

function upgrading(server) {
  it("upgrade: a waiting GET ends with a noop", async () => {
    const session = await server.openPolling();
    const before = session.take();
    const wire = await server.probe(session.sid);
    assert.equal(await wire.next(), "3probe");
    assert.equal(await before, "6");
    assert.equal(await session.take(), "6", "and so does the next");
    wire.send("5");
    await assertAlive(wire);
  });

  it("upgrade: HTTP is over", async () => {
    const session = await server.openPolling();
    const wire = await server.probe(session.sid);
    await wire.next();
    wire.send("5");
    assert.equal((await session.get()).status, 400);
    assert.equal((await session.post("4late")).status, 400);
    await assertAlive(wire);
  });

  it("upgrade: a second WebSocket", async () => {
    const session = await server.openPolling();
    const wire = await server.probe(session.sid);
    assert.equal(await wire.next(), "3probe");
    wire.send("5");
    const second = server.webSocket({ EIO: 4, transport: "websocket", sid: session.sid });
    assert.deepEqual(await second.end(), []);
    await assertAlive(wire);
  });

  it("upgrade: another WebSocket while one is at it", async () => {
    const session = await server.openPolling();
    const wire = await server.probe(session.sid);
    assert.equal(await wire.next(), "3probe");
    const second = server.webSocket({ EIO: 4, transport: "websocket", sid: session.sid });
    assert.deepEqual(await second.end(), []);
    wire.send("5");
    await assertAlive(wire);
  });

  it("upgrade: a probe that fails leaves the session as it was", async () => {
    const session = await server.openPolling();
    const wire = server.webSocket({ EIO: 4, transport: "websocket", sid: session.sid });
    await wire.opened;
    wire.send("2prob");
    assert.deepEqual(await wire.end(), []);
    await assertAlive(session);
  });

  it("upgrade: one that is lost half way leaves the session as it was", async () => {
    const session = await server.openPolling();
    const wire = await server.probe(session.sid);
    assert.equal(await wire.next(), "3probe");
    wire.close();
    await wire.closed;
    await assertAlive(session);
  });
}

function heartbeat(server) {
  it("heartbeat: polling", async () => {
    const before = performance.now();
    const session = await server.openPolling();
    for (let n = 1; n <= 3; n++) {
      assert.equal(await session.take(), "2");
      assert.ok(performance.now() - before >= n * INTERVAL - TOLERANCE, "an interval later");
      const response = await session.post("3");
      assert.equal(response.status, 200);
      assert.equal(await response.text(), "ok");
    }
  });

  it("heartbeat: polling, timeout", async () => {
    const before = performance.now();
    const session = await server.openPolling();
    await assertOver(session);
    const lasted = performance.now() - before;
    assert.ok(lasted >= INTERVAL + TIMEOUT - TOLERANCE && lasted < 3 * (INTERVAL + TIMEOUT), `${lasted} ms`);
  });

  it("heartbeat: WebSocket", async () => {
    const before = performance.now();
    const wire = await server.openWebSocket();
    for (let n = 1; n <= 3; n++) {
      assert.equal(await wire.next(), "2");
      assert.ok(performance.now() - before >= n * INTERVAL - TOLERANCE, "an interval later");
      wire.send("3");
    }
    wire.close();
  });

  it("heartbeat: WebSocket, timeout", async () => {
    const before = performance.now();
    const wire = await server.openWebSocket();
    assert.deepEqual(await wire.end(), ["2"], "one ping, and then the end");
    const lasted = performance.now() - before;
    assert.ok(lasted >= INTERVAL + TIMEOUT - TOLERANCE && lasted < 3 * (INTERVAL + TIMEOUT), `${lasted} ms`);
  });

  it("close: WebSocket", async () => {
    const wire = await server.openWebSocket();
    wire.send("1");
    // At once, or when the heartbeat is over.
    assert.ok((await wire.end()).every((packet) => packet === "2"));
  });

  it("heartbeat: it goes on after an upgrade", async () => {
    const session = await server.openPolling();
    const wire = await server.probe(session.sid);
    assert.equal(await wire.next(), "3probe");
    wire.send("5");
    for (let n = 0; n < 2; n++) {
      assert.equal(await wire.next(), "2");
      wire.send("3");
    }
    assert.equal(await wire.next(), "2");
    assert.deepEqual(await wire.end(), []);
  });
}

function echo(server) {
  it("echo: polling, one packet", () => echoByPolling("4hello"));

  it("echo: polling, several packets", () => echoByPolling(`4test1${RS}4test2${RS}4${RS}4ünïcödé 🎈`));

  it("echo: polling, text and binary", () => echoByPolling(`4hello${RS}bAQIDBA==${RS}b${RS}4end`));

  it("echo: polling, as much as the server takes", () => echoByPolling("4" + "x".repeat(MAX_PAYLOAD - 1)));

  async function echoByPolling(payload) {
    const session = await server.openPolling();
    const response = await session.post(payload);
    assert.equal(response.status, 200);
    assert.equal(await response.text(), "ok");
    let echoed = await session.take();
    while (echoed.length < payload.length) echoed += RS + (await session.take());
    assert.equal(echoed, payload);
  }

  it("echo: WebSocket, text", async () => {
    const wire = await server.openWebSocket();
    for (const text of ["4hello", "4", "4ünïcödé 🎈", "4" + "x".repeat(MAX_PAYLOAD - 1)]) {
      wire.send(text);
      assert.equal(await wire.next(), text);
    }
    wire.close();
  });

  it("echo: WebSocket, binary", async () => {
    const wire = await server.openWebSocket();
    for (const bytes of [Buffer.from([1, 2, 3, 4]), Buffer.alloc(0), Buffer.alloc(MAX_PAYLOAD, 255)]) {
      wire.send(bytes);
      assert.deepEqual(await wire.next(), bytes);
    }
    wire.close();
  });

  it("echo: base64 that is none closes", async () => {
    const session = await server.openPolling();
    const response = await session.post("b%%%").catch(() => ({ status: 400 }));
    // The reference takes what it can read of it.
    if (response.status === 200) assert.match(await session.take(), /^b/);
    else await assertOver(session);
  });

  it("echo: a pong is not answered", async () => {
    const wire = await server.openWebSocket();
    for (const packet of ["3", "4marker"]) wire.send(packet);
    assert.equal(await wire.next(), "4marker");
    wire.close();
  });

  it("upgrade: what waits comes by the WebSocket, in order", async () => {
    const session = await server.openPolling();
    const wire = await server.probe(session.sid);
    assert.equal(await wire.next(), "3probe");
    await session.post(`4first${RS}bAQID`);
    wire.send("5");
    wire.send("4second");
    assert.equal(await wire.next(), "4first");
    assert.deepEqual(await wire.next(), Buffer.from([1, 2, 3]));
    assert.equal(await wire.next(), "4second");
    wire.close();
  });

  it("upgrade: until the end of it messages go by HTTP", async () => {
    const session = await server.openPolling();
    const wire = await server.probe(session.sid);
    assert.equal(await wire.next(), "3probe");
    await session.post("4first");
    assert.ok((await session.take()).split(RS).includes("4first"));
    wire.send("5");
    wire.send("4second");
    assert.equal(await wire.next(), "4second");
    wire.close();
  });
}

/** Has a session say something: in one mode it is an echo, in the other the answer to a connect packet. */
async function assertAlive(session) {
  if (session instanceof Polling) {
    await session.post("40");
    let packets;
    do {
      packets = (await session.take()).split(RS).filter((packet) => packet !== "6"); // of an upgrade that failed
    } while (packets.length === 0);
    assert.match(packets[0], /^40/);
  } else {
    session.send("40");
    assert.match(await session.next(), /^40/);
    session.close();
  }
}

/** Asks until the session is refused: what it was sent before, a ping or a last noop, may come first. */
async function assertOver(session, message) {
  let status;
  do {
    ({ status } = await session.get()); // that of a session that goes on would not be answered at last
  } while (status === 200);
  assert.equal(status, 400, message);
}

async function assertRefused(response, code) {
  assert.equal(response.status, 400);
  assert.match(response.headers.get("content-type"), /^application\/json/);
  const body = await response.json();
  assert.deepEqual(Object.keys(body).sort(), ["code", "message"]);
  assert.equal(body.code, code);
  assert.ok(body.message.length > 0);
}
