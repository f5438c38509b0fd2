// Socket.IO protocol 5, by hand, against the server in its conformance mode. The Engine.IO below it, of which the
// official suite checks 16 cases as well, is in engine.test.js: all that are there, on the same path.
//
// What the official suite of the protocol checks besides, and where that is here:
//
//   connect      main namespace                      "connect: main namespace"
//                with a payload                      "connect: main namespace"
//                custom namespace                    "connect: custom namespace"
//                with a payload                      "connect: custom namespace"
//                unknown namespace                   "connect: unknown namespace"
//                no packet of Socket.IO              "closed: what is no packet, before connecting"
//                nothing in time                     "connect timeout: one that joins nothing is closed"
//   disconnect   main namespace                      "disconnect: no answer, and no packet but the ping"
//                connects to a custom one and leaves "disconnect: one namespace of two"
//   message      text                                "event: arguments come back"
//                binary                              "event: binary attachments"
//                text with ack                       "ack: arguments come back"
//                binary with ack                     "ack: binary attachments"
//                unknown packet type                 "closed: bad packets"
//                bad payload                         "closed: bad packets"
//                bad ack id                          "closed: bad packets"

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { Endpoint, RS } from "./support/engine.js";
import { startServer } from "./support/server.js";

const calm = await startServer("--conformance");
const server = new Endpoint(calm.url, "/socket.io/");
const placeholder = (num) => `{"_placeholder":true,"num":${num}}`;

/** Connects to the main namespace. */
async function connect(endpoint = server) {
  const wire = await endpoint.openWebSocket();
  wire.send("40");
  await assertConnected(wire, "", "{}");
  return wire;
}

/** Takes the answer to a connect packet, and the event with what the client said of itself. */
async function assertConnected(wire, namespace, auth) {
  const answer = await wire.next();
  assert.ok(answer.startsWith(`40${namespace}{`), answer);
  const { sid, ...rest } = JSON.parse(answer.slice(2 + namespace.length));
  assert.ok(typeof sid === "string" && sid.length > 0);
  assert.deepEqual(rest, {});
  assert.equal(await wire.next(), `42${namespace}["auth",${auth}]`);
  return sid;
}

async function assertEcho(wire) {
  wire.send('42["message","still here"]');
  assert.equal(await wire.next(), '42["message-back","still here"]');
}

describe("connect", () => {
  it("connect: main namespace", async () => {
    for (const [packet, auth] of [
      ["40", "{}"],
      ["40{}", "{}"],
      ['40{"token":"123"}', '{"token":"123"}'],
      ['40/,{"token":"123"}', '{"token":"123"}'],
      ['40{"a":{"b":[1,null,"ü"]}}', '{"a":{"b":[1,null,"ü"]}}'],
    ]) {
      const wire = await server.openWebSocket();
      wire.send(packet);
      await assertConnected(wire, "", auth);
      wire.close();
    }
  });

  it("connect: custom namespace", async () => {
    for (const [packet, auth] of [
      ["40/custom,", "{}"],
      ["40/custom", "{}"],
      ['40/custom,{"token":"abc"}', '{"token":"abc"}'],
    ]) {
      const wire = await server.openWebSocket();
      wire.send(packet);
      await assertConnected(wire, "/custom,", auth);
      wire.close();
    }
  });

  it("connect: two namespaces of one connection, with ids of their own", async () => {
    const wire = await server.openWebSocket();
    wire.send("40");
    const main = await assertConnected(wire, "", "{}");
    wire.send("40/custom,");
    const custom = await assertConnected(wire, "/custom,", "{}");
    assert.notEqual(main, custom);
    wire.close();
  });

  it("connect: unknown namespace", async () => {
    const wire = await server.openWebSocket();
    wire.send("40/random");
    assert.equal(await wire.next(), '44/random,{"message":"Invalid namespace"}');
    wire.send("40");
    await assertConnected(wire, "", "{}");
    wire.close();
  });

  it("connect: over polling", async () => {
    const session = await server.openPolling();
    await session.post('40{"token":"123"}');
    let packets = [];
    while (packets.length < 2) packets = packets.concat((await session.take()).split(RS));
    assert.match(packets[0], /^40\{"sid":"[^"]+"\}$/);
    assert.equal(packets[1], '42["auth",{"token":"123"}]');
  });

  it("closed: what is no packet, before connecting", async () => {
    for (const packet of ["4abc", "4", "49", '42["message",1]', '40"token"', "40[]", "40{", Buffer.from([1])]) {
      const wire = await server.openWebSocket();
      wire.send(packet);
      assert.deepEqual(await wire.end(packet), []);
    }
  });

  it("closed: connecting twice", async () => {
    const wire = await connect();
    wire.send("40");
    assert.deepEqual(await wire.end(), []);
  });
});

describe("connect timeout", () => {
  const CONNECT_TIMEOUT = 200;

  it("connect timeout: one that joins nothing is closed", async () => {
    const quick = await startServer("--conformance", "--connect-timeout", `${CONNECT_TIMEOUT}`);
    try {
      const endpoint = new Endpoint(quick.url, "/socket.io/");
      const before = performance.now();
      const wire = await endpoint.openWebSocket();
      assert.deepEqual(await wire.end(), []);
      const lasted = performance.now() - before;
      assert.ok(lasted >= CONNECT_TIMEOUT - 20 && lasted < 2000, `${lasted} ms`);
    } finally {
      await quick.stop();
    }
  });

  it("connect timeout: one that has joined is not", async () => {
    const flags = ["--connect-timeout", `${CONNECT_TIMEOUT}`, "--ping-interval", `${2 * CONNECT_TIMEOUT}`];
    const quick = await startServer("--conformance", ...flags);
    try {
      const wire = await connect(new Endpoint(quick.url, "/socket.io/"));
      assert.equal(await wire.next(), "2");
      await assertEcho(wire);
      wire.close();
    } finally {
      await quick.stop();
    }
  });
});

describe("disconnect", () => {
  it("disconnect: no answer, and no packet but the ping", async () => {
    const quick = await startServer("--conformance", "--ping-interval", "300");
    try {
      const wire = await connect(new Endpoint(quick.url, "/socket.io/"));
      wire.send("41");
      assert.equal(await wire.next(), "2");
      wire.close();
    } finally {
      await quick.stop();
    }
  });

  it("disconnect: one namespace of two", async () => {
    for (const packet of ["41/custom", "41/custom,"]) {
      const wire = await connect();
      wire.send("40/custom");
      await assertConnected(wire, "/custom,", "{}");
      wire.send(packet);
      await assertEcho(wire);
      wire.close();
    }
  });

  it("disconnect: then connect again, under another id", async () => {
    const wire = await server.openWebSocket();
    wire.send("40");
    const first = await assertConnected(wire, "", "{}");
    wire.send("41");
    await server.openPolling(); // by now the server knows
    wire.send("40");
    assert.notEqual(await assertConnected(wire, "", "{}"), first);
    await assertEcho(wire);
    wire.close();
  });

  it("closed: events after a disconnect", async () => {
    const wire = await connect();
    wire.send("41");
    await server.openPolling(); // by now the server knows
    wire.send('42["message",1]');
    assert.deepEqual(await wire.end(), []);
  });
});

describe("event", () => {
  it("event: arguments come back", async () => {
    const wire = await connect();
    for (const args of [
      '1,"2",{"3":[true]}',
      '"text"',
      '""',
      "null",
      "1",
      "1.5e300",
      "{}",
      "[]",
      "[1,2]",
      '{"a":[{"b":null}]}',
      '"ünïcödé 🎈 \\u0000 \\" \\\\ \\n"',
      "null,null",
      '"a","b"',
    ]) {
      wire.send(`42["message",${args}]`);
      const answer = await wire.next();
      assert.ok(answer.startsWith('42["message-back",'), answer);
      assert.deepEqual(JSON.parse(answer.slice(2)).slice(1), JSON.parse(`[${args}]`));
    }
    wire.send('42["message"]');
    assert.equal(await wire.next(), '42["message-back"]');
    wire.send('42 [ "message" , 1 ]'.replace(" ", "")); // blanks of JSON
    assert.equal(await wire.next(), '42["message-back",1]');
    wire.close();
  });

  it("event: what nobody handles is dropped", async () => {
    const wire = await connect();
    wire.send('42["nobody",1]');
    wire.send('421["nobody",1]');
    await assertEcho(wire);
    wire.close();
  });

  it("event: binary attachments", async () => {
    const wire = await connect();
    const parts = [Buffer.from([1, 2, 3]), Buffer.from([4, 5, 6])];
    for (const [args, ...attachments] of [
      [`${placeholder(0)},${placeholder(1)}`, ...parts],
      [`${placeholder(0)}`, parts[0]],
      [`{"a":[1,${placeholder(0)},{"b":${placeholder(1)}}]}`, ...parts],
      [`"text",${placeholder(0)}`, Buffer.alloc(0)],
      [`${placeholder(0)}`, Buffer.alloc(100_000, 7)],
    ]) {
      wire.send(`45${attachments.length}-["message",${args}]`);
      attachments.forEach((attachment) => wire.send(attachment));
      const answer = await wire.next();
      assert.ok(answer.startsWith(`45${attachments.length}-["message-back",`), answer);
      const json = answer.slice(answer.indexOf("["));
      assert.deepEqual(JSON.parse(json).slice(1), JSON.parse(`[${args}]`));
      for (const attachment of attachments) assert.deepEqual(await wire.next(), attachment);
    }
    wire.close();
  });

  it("event: binary attachments over polling", async () => {
    const session = await server.openPolling();
    await session.post("40");
    let packets = [];
    while (packets.length < 2) packets = packets.concat((await session.take()).split(RS));
    await session.post(`451-["message",${placeholder(0)}]${RS}bAQIDBA==`);
    packets = [];
    while (packets.length < 2) packets = packets.concat((await session.take()).split(RS));
    assert.deepEqual(packets, [`451-["message-back",${placeholder(0)}]`, "bAQIDBA=="]);
  });

  it("event: many at once come back in order", async () => {
    const wire = await connect();
    for (let n = 0; n < 500; n++) wire.send(`42["message",${n}]`);
    for (let n = 0; n < 500; n++) assert.equal(await wire.next(), `42["message-back",${n}]`);
    wire.close();
  });
});

describe("ack", () => {
  it("ack: arguments come back", async () => {
    const wire = await connect();
    for (const [id, args] of [
      ["456", '1,"2",{"3":[false]}'],
      ["0", ""],
      ["1", '"text"'],
      ["2", "[1,2]"],
      ["9007199254740991", "null"],
    ]) {
      wire.send(`42${id}["message-with-ack"${args && ","}${args}]`);
      assert.equal(await wire.next(), `43${id}[${args}]`);
    }
    wire.close();
  });

  it("ack: binary attachments", async () => {
    const wire = await connect();
    wire.send(`452-789["message-with-ack",${placeholder(0)},${placeholder(1)}]`);
    wire.send(Buffer.from([1, 2, 3]));
    wire.send(Buffer.from([4, 5, 6]));
    assert.equal(await wire.next(), `462-789[${placeholder(0)},${placeholder(1)}]`);
    assert.deepEqual(await wire.next(), Buffer.from([1, 2, 3]));
    assert.deepEqual(await wire.next(), Buffer.from([4, 5, 6]));
    wire.close();
  });

  it("ack: what nobody asked for is dropped", async () => {
    const wire = await connect();
    wire.send('43999["?"]');
    await assertEcho(wire);
    wire.close();
  });
});

describe("closed", () => {
  it("closed: bad packets", async () => {
    for (const packet of [
      "4abc",
      "47",
      "42{}",
      "42[]",
      "42[{}]",
      '42["message"',
      '42"message"',
      '42abc["message-with-ack",1,"2",{"3":[false]}]',
      '42["connect"]',
      '42["disconnect"]',
      '42["disconnecting"]',
      '42["connect_error"]',
      "43{}",
      "431{}",
      '44{"message":"what?"}',
      '42/custom,["message"]',
      '42/nowhere,["message"]',
      '45["message"]',
      '45x-["message"]',
      Buffer.from([1, 2, 3]),
    ]) {
      const wire = await connect();
      wire.send(packet);
      assert.deepEqual(await wire.end(packet), []);
    }
  });

  // By the document; the reference lets these pass.
  it("closed: events and answers without arguments", async () => {
    for (const packet of ["42", "421", "431"]) {
      const wire = await connect();
      wire.send(packet);
      assert.deepEqual(await wire.end(packet), []);
    }
  });

  it("closed: bad attachments", async () => {
    const binary = Buffer.from([1]);
    for (const packets of [
      [`451-["message",${placeholder(0)}]`, '42["message"]'],
      [`451-["message",${placeholder(1)}]`, binary],
      [`451-["message",${placeholder(-1)}]`, binary],
      ['451-["message",{"_placeholder":true,"num":"0"}]', binary],
      [`451-["message",${placeholder(0)}]`, binary, binary],
    ]) {
      const wire = await connect();
      packets.forEach((packet) => wire.send(packet));
      const before = await wire.end(packets);
      assert.ok(before.length === 0 || packets.length === 3, `${packets}`);
    }
  });
});

after(() => calm.stop());
