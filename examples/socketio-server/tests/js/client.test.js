// The official JavaScript client against the server, in its conformance mode and in the chat.

import assert from "node:assert/strict";
import { after, afterEach, beforeEach, describe, it } from "node:test";
import { Manager, NodeWebSocket, NodeXHR } from "socket.io-client";
import { ask, client, closeClients, collect, connected, next } from "./support/clients.js";
import { startServer } from "./support/server.js";

const MAX_PAYLOAD = 1_000_000;
const TRANSPORTS = { polling: ["polling"], WebSocket: ["websocket"], both: ["polling", "websocket"] };

const echo = await startServer("--conformance", "--max-payload", `${MAX_PAYLOAD}`);
after(() => echo.stop());

/** A chat for each test, with nobody in it. */
let chat;
beforeEach(async () => (chat = await startServer()));
afterEach(async () => {
  closeClients();
  await chat.stop();
});

/** Connects somebody to the chat. */
const guest = (name, options) => connected(`${chat.url}/chat`, { auth: { name }, ...options });

for (const [name, transports] of Object.entries(TRANSPORTS)) {
  describe(`transports: ${name}`, () => {
    it("connects, and says who it is", async () => {
      const socket = client(echo.url, { transports, auth: { token: "123" } });
      assert.deepEqual(await next(socket, "auth"), { token: "123" });
      assert.ok(socket.connected && socket.id.length > 0);
    });

    it("arguments there and back", async () => {
      const socket = await connected(echo.url, { transports });
      const all = [
        ["text"],
        [1, "2", { 3: [true] }],
        [],
        [null],
        [[1, 2]],
        ["ünïcödé 🎈\u0000\u2028"],
        [{ deep: [{ deeper: { deepest: "" } }] }],
      ];
      for (const args of all) {
        const back = new Promise((resolve) => socket.once("message-back", (...got) => resolve(got)));
        socket.emit("message", ...args);
        assert.deepEqual(await back, args);
      }
    });

    it("binary there and back, also nested", async () => {
      const socket = await connected(echo.url, { transports });
      const all = [
        [Buffer.from([1, 2, 3])],
        [Buffer.alloc(0)],
        ["text", Buffer.from([1]), { a: [Buffer.from([2]), { b: Buffer.from([3]) }], n: 4 }],
      ];
      for (const args of all) {
        const back = new Promise((resolve) => socket.once("message-back", (...got) => resolve(got)));
        socket.emit("message", ...args);
        assert.deepEqual(await back, args);
      }
    });

    it("answers, with text and binary", async () => {
      const socket = await connected(echo.url, { transports });
      const answer = (...args) =>
        new Promise((resolve) => socket.emit("message-with-ack", ...args, (...got) => resolve(got)));
      assert.deepEqual(await answer(), []);
      assert.deepEqual(await answer(1, "2", { 3: [false] }), [1, "2", { 3: [false] }]);
      assert.deepEqual(await answer({ a: Buffer.from([1, 2]) }, "b"), [{ a: Buffer.from([1, 2]) }, "b"]);
    });

    it("as much as the server takes", async () => {
      const socket = await connected(echo.url, { transports });
      const text = "x".repeat(MAX_PAYLOAD - 100);
      assert.ok((await ask(socket, "message-with-ack", text)) === text);
      const binary = Buffer.alloc(Math.floor((MAX_PAYLOAD - 200) * 3 / 4), 7); // as base64 it is longer
      assert.ok((await ask(socket, "message-with-ack", binary)).equals(binary));
    });

    it("more than that ends the connection, and it comes back", async () => {
      const socket = await connected(echo.url, { transports });
      socket.emit("message", "x".repeat(MAX_PAYLOAD + 1));
      const [reason] = [await next(socket, "disconnect")].flat();
      assert.match(reason, /^transport (close|error)$/);
      await next(socket, "connect");
      assert.deepEqual(await ask(socket, "message-with-ack", "again"), "again");
    });

    it("many at once, in order", async () => {
      const socket = await connected(echo.url, { transports });
      const answers = await Promise.all(Array.from({ length: 1000 }, (_, n) => ask(socket, "message-with-ack", n)));
      assert.deepEqual(answers, Array.from({ length: 1000 }, (_, n) => n));
    });

    it("the chat is the same over it", async () => {
      const [ann, bob] = [await guest("Ann", { transports }), await guest("Bob", { transports })];
      await ask(ann, "join", "lobby");
      await ask(bob, "join", "lobby");
      const said = next(bob, "said");
      await ask(ann, "say", { room: "lobby", text: "hi" });
      assert.deepEqual(await said, { room: "lobby", from: "Ann", text: "hi" });
    });
  });
}

describe("upgrade", () => {
  it("happens", async () => {
    const socket = client(echo.url);
    const { engine } = socket.io;
    assert.equal(engine.transport.name, "polling");
    await Promise.all([next(engine, "upgrade"), next(socket, "connect")]);
    assert.equal(engine.transport.name, "websocket");
    assert.equal(await ask(socket, "message-with-ack", "after it"), "after it");
  });

  it("loses and reorders nothing that flows meanwhile, either way", async () => {
    const sockets = Array.from({ length: 10 }, () => lateUpgrade(echo.url));
    await Promise.all(sockets.map(flow));

    async function flow({ socket, upgrade, isUpgraded }) {
      await next(socket, "connect");
      const got = collect(socket, "message-back");
      let sent = 0;
      await during({ upgrade, isUpgraded }, async () => {
        for (let n = 0; n < 5; n++, sent++) socket.emit("message", sent % 3 ? sent : [sent, Buffer.from([sent])]);
        await new Promise(setImmediate);
      });
      await ask(socket, "message-with-ack"); // its answer comes behind all that
      assert.deepEqual(got.map((message) => (Array.isArray(message) ? message[0] : message)), [...Array(sent).keys()]);
    }
  });

  it("loses and reorders nothing that others say meanwhile", async () => {
    const speaker = await guest("speaker", { transports: ["websocket"] });
    await ask(speaker, "join", "upgrades");
    const hearer = lateUpgrade(`${chat.url}/chat`, { auth: { name: "hearer" } });
    await ask(hearer.socket, "join", "upgrades");
    const heard = collect(hearer.socket, "said");
    let said = 0;
    await during(hearer, () => ask(speaker, "say", { room: "upgrades", text: `${said++}` }));
    await ask(hearer.socket, "who", "upgrades"); // its answer comes behind all that
    assert.deepEqual(heard.map(({ text }) => Number(text)), [...Array(said).keys()]);
  });

  /** Makes a client that begins to upgrade when it is told to. */
  function lateUpgrade(url, options) {
    let upgrade;
    const start = new Promise((resolve) => (upgrade = resolve));
    class LateWebSocket extends NodeWebSocket {
      doOpen() {
        start.then(() => super.doOpen());
      }
    }
    const socket = client(url, { transports: [NodeXHR, LateWebSocket], ...options });
    return { socket, upgrade, isUpgraded: () => socket.io.engine.transport.name === "websocket" };
  }

  /** Does something all the time: 20 times before the upgrade begins, while it is at it, and 20 times afterwards. */
  async function during({ upgrade, isUpgraded }, act) {
    for (let n = 0; n < 20; n++) await act();
    assert.ok(!isUpgraded());
    upgrade();
    for (let afterwards = 0; afterwards < 20; afterwards += isUpgraded()) await act();
  }
});

describe("namespaces", () => {
  it("several over one connection", async () => {
    const manager = new Manager(echo.url);
    const [main, custom] = [manager.socket("/"), manager.socket("/custom", { auth: { token: "abc" } })];
    const [mainAuth, customAuth] = await Promise.all([next(main, "auth"), next(custom, "auth")]);
    assert.deepEqual([mainAuth, customAuth], [{}, { token: "abc" }]);
    assert.notEqual(main.id, custom.id);
    custom.disconnect();
    assert.equal(await ask(main, "message-with-ack", "still here"), "still here");
    custom.connect();
    await next(custom, "connect");
    main.disconnect();
    custom.disconnect();
  });

  it("one that there is not", async () => {
    const error = await next(client(`${echo.url}/nowhere`), "connect_error");
    assert.equal(error.message, "Invalid namespace");
  });

  it("one that refuses, with words and data", async () => {
    const ann = await guest("Ann");
    const refused = client(`${chat.url}/chat`, { auth: { name: "ann" } });
    const error = await next(refused, "connect_error");
    assert.match(error.message, /taken|called ann/);
    assert.deepEqual(error.data, { code: "name-taken" });
    assert.equal(refused.active, false);
    for (const auth of [{}, { name: "" }, { name: "x".repeat(21) }, { name: 7 }]) {
      const error = await next(client(`${chat.url}/chat`, { auth }), "connect_error");
      assert.deepEqual(error.data, { code: "bad-name" });
    }
    refused.auth = { name: "Eve" };
    refused.connect();
    await next(refused, "connect");
    ann.disconnect();
  });
});

describe("rooms", () => {
  it("those who are in it hear, but not the one who speaks", async () => {
    const [ann, bob, eve] = await Promise.all(["Ann", "Bob", "Eve"].map((name) => guest(name)));
    for (const [socket, room] of [[ann, "lobby"], [bob, "lobby"], [eve, "attic"], [bob, "attic"]]) {
      assert.equal((await ask(socket, "join", room)).room, room);
    }
    const heard = [ann, bob, eve].map((socket) => collect(socket, "said"));
    assert.deepEqual(await ask(ann, "say", { room: "lobby", text: "<b>hi</b>" }), { room: "lobby", count: 1 });
    assert.deepEqual(await ask(eve, "say", { room: "attic", text: "hello" }), { room: "attic", count: 1 });
    assert.equal((await ask(eve, "say", { room: "lobby", text: "psst" })).code, "not-a-member");
    await Promise.all([ann, bob, eve].map((socket) => ask(socket, "who", "lobby")));
    assert.deepEqual(heard, [
      [],
      [
        { room: "lobby", from: "Ann", text: "<b>hi</b>" },
        { room: "attic", from: "Eve", text: "hello" },
      ],
      [],
    ]);
  });

  it("members are told who comes and goes", async () => {
    const [ann, bob] = await Promise.all(["Ann", "Bob"].map((name) => guest(name)));
    await ask(ann, "join", "lobby");
    const joined = next(ann, "joined");
    const { members } = await ask(bob, "join", "lobby");
    assert.deepEqual(members.map(({ name }) => name), ["Ann", "Bob"]);
    assert.deepEqual(await joined, { room: "lobby", member: members[1] });
    const left = next(ann, "left");
    bob.disconnect();
    assert.deepEqual(await left, { room: "lobby", id: members[1].id });
    assert.deepEqual((await ask(ann, "who", "lobby")).members, [members[0]]);
  });

  it("all are told of all rooms", async () => {
    const ann = await guest("Ann");
    await ask(ann, "join", "cellar");
    const bob = client(`${chat.url}/chat`, { auth: { name: "Bob" } });
    assert.ok((await next(bob, "rooms")).some(({ room, count }) => room === "cellar" && count === 1));
    const change = next(bob, "room");
    await ask(ann, "leave", "cellar");
    assert.deepEqual(await change, { room: "cellar", count: 0 });
  });
});

describe("answers to the server", () => {
  it("a question is decided by the answers of the others", async () => {
    const [ann, bob, eve] = await Promise.all(["Ann", "Bob", "Eve"].map((name) => guest(name)));
    for (const socket of [ann, bob, eve]) await ask(socket, "join", "lobby");
    const asked = collect(ann, "asked");
    bob.on("asked", (question, answer) => answer(true));
    eve.on("asked", (question, answer) => answer(false));
    const outcome = { room: "lobby", from: "Ann", question: "lunch?", yes: 1, no: 1, silent: 0 };
    const told = next(bob, "outcome");
    const question = { room: "lobby", question: "lunch?", seconds: 30 };
    assert.deepEqual(await ask(ann, "ask", question), outcome);
    assert.deepEqual(await told, outcome);
    assert.deepEqual(asked, []);
  });

  it("or by the time", async () => {
    const [ann, bob] = await Promise.all(["Ann", "Bob"].map((name) => guest(name)));
    for (const socket of [ann, bob]) await ask(socket, "join", "lobby");
    const outcome = await ask(ann, "ask", { room: "lobby", question: "?", seconds: 1 });
    assert.deepEqual([outcome.yes, outcome.no, outcome.silent], [0, 0, 1]);
  });
});

describe("disconnects", () => {
  it("by the client", async () => {
    const socket = await connected(echo.url);
    const disconnected = next(socket, "disconnect");
    socket.disconnect();
    assert.equal([await disconnected].flat()[0], "io client disconnect");
    socket.connect();
    await next(socket, "connect");
  });

  it("by the server", async () => {
    const auth = { name: "Ann", key: "that of both" };
    const lost = await guest("Ann", { auth });
    const disconnected = next(lost, "disconnect");
    const ann = await guest("Ann", { auth }); // gets the name back
    assert.equal([await disconnected].flat()[0], "io server disconnect");
    assert.deepEqual([lost.connected, lost.active, ann.connected], [false, false, true]);
  });

  for (const signal of ["SIGINT", "SIGKILL"]) {
    it(`by ${signal}, and all come back when there is a server on that port again`, async () => {
      const first = await startServer();
      const address = `${first.url}/chat`;
      const sockets = await Promise.all(
        Object.values(TRANSPORTS).map((transports, n) => connected(address, { transports, auth: { name: `guest${n}` } })),
      );
      const reasons = Promise.all(sockets.map((socket) => next(socket, "disconnect")));
      await first.stop(signal);
      for (const reason of await reasons) assert.match([reason].flat()[0], /^transport (close|error)$/);
      const back = Promise.all(sockets.map((socket) => next(socket, "connect")));
      const second = await startServer("--port", first.port);
      try {
        await back;
        await Promise.all(sockets.map((socket) => ask(socket, "join", "lobby")));
        assert.equal((await ask(sockets[0], "who", "lobby")).members.length, sockets.length);
      } finally {
        closeClients();
        await second.stop();
      }
    });
  }
});

describe("recovery", () => {
  /** A chat that keeps sessions for so long. */
  async function keeping(milliseconds, test) {
    const server = await startServer("--recovery", `${milliseconds}`);
    try {
      await test((name, options) => connected(`${server.url}/chat`, { auth: { name }, ...options }), server);
    } finally {
      closeClients();
      await server.stop();
    }
  }

  /** Cuts the line of a client, which does not come back by itself. */
  async function cut(socket) {
    socket.io.reconnection(false);
    const gone = next(socket, "disconnect");
    socket.io.engine.close();
    await gone;
  }

  async function back(socket) {
    socket.connect();
    await next(socket, "connect");
  }

  for (const [name, transports] of Object.entries(TRANSPORTS)) {
    it(`gives back socket, rooms and what was missed, in order (${name})`, () =>
      keeping(30_000, async (guest) => {
        const [ann, bob] = [await guest("Ann"), await guest("Bob", { transports })];
        for (const socket of [ann, bob]) await ask(socket, "join", "lobby");
        const heard = [];
        bob.on("said", ({ text }, offset) => heard.push([text, typeof offset]));
        const say = (text) => ask(ann, "say", { room: "lobby", text });
        const { id } = bob;
        let said = 0;
        for (let round = 0; round < 3; round++) {
          await say(`${said++}`);
          await ask(bob, "who", "lobby"); // so it has come
          await cut(bob);
          for (let n = 0; n < 5; n++) await say(`${said++}`);
          await back(bob);
          assert.ok(bob.recovered);
          assert.equal(bob.id, id);
          await say(`${said++}`);
        }
        const { members } = await ask(bob, "who", "lobby");
        assert.deepEqual(members.map(({ name }) => name), ["Ann", "Bob"]);
        assert.deepEqual(heard, Array.from({ length: said }, (_, n) => [`${n}`, "string"]));
      }));
  }

  it("from the very first second", () =>
    keeping(30_000, async (guest) => {
      const ann = await guest("Ann");
      const { id } = ann;
      await cut(ann);
      await back(ann);
      assert.ok(ann.recovered);
      assert.equal(ann.id, id);
    }));

  it("by itself, when the client connects again by itself", () =>
    keeping(30_000, async (guest) => {
      const ann = await guest("Ann");
      const { id } = ann;
      ann.io.engine.close();
      await next(ann, "connect");
      assert.ok(ann.recovered);
      assert.equal(ann.id, id);
    }));

  it("takes the session from a line that is not known to be lost", () =>
    keeping(30_000, async (guest, server) => {
      const ann = await guest("Ann", { transports: ["websocket"] });
      const { id } = ann;
      const again = client(`${server.url}/chat`, {
        auth: { name: "Ann", pid: ann._pid, offset: ann._lastOffset },
        reconnection: false,
      });
      ann.io.reconnection(false);
      const gone = next(ann, "disconnect");
      await next(again, "connect");
      await gone;
      assert.equal(again.id, id);
      assert.deepEqual((await ask(again, "join", "lobby")).members.length, 1);
    }));

  it("not after its time", () =>
    keeping(200, async (guest) => {
      const ann = await guest("Ann");
      const { id } = ann;
      await cut(ann);
      await new Promise((resolve) => setTimeout(resolve, 600));
      await back(ann);
      assert.equal(ann.recovered, false);
      assert.notEqual(ann.id, id);
    }));

  it("not after a disconnect that was meant", () =>
    keeping(30_000, async (guest) => {
      const ann = await guest("Ann");
      const { id } = ann;
      ann.disconnect();
      await back(ann);
      assert.equal(ann.recovered, false);
      assert.notEqual(ann.id, id);
    }));
});
