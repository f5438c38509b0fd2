// The chat's page in a browser: Chromium, or what `CHROMIUM` names. With `SCREENSHOT` a picture is left there.

import assert from "node:assert/strict";
import { after, afterEach, beforeEach, describe, it } from "node:test";
import { chromium } from "playwright-core";
import { ask, closeClients, connected, next } from "./support/clients.js";
import * as conversation from "./support/conversation.js";
import { startServer } from "./support/server.js";

const PATIENCE = 5000;
const args = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const browser = await chromium.launch({ executablePath, headless: true, args });
after(() => browser.close());

/** A chat for each test, with nobody in it. */
let server;
beforeEach(async () => (server = await startServer()));
afterEach(async () => {
  closeClients();
  await Promise.all(browser.contexts().map((context) => context.close()));
  await server.stop();
});

/** Somebody who has a browser of its own. */
class Person {
  static async arrive(name, options) {
    const context = await browser.newContext({ viewport: { width: 1200, height: 750 }, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE);
    const errors = [];
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(server.url);
    const person = new Person(page, errors);
    await person.signIn(name);
    return person;
  }

  /** As `arrive`, and waits until the chat is there. */
  static async in(name, options) {
    const person = await Person.arrive(name, options);
    await person.isMember("lobby", name);
    return person;
  }

  constructor(page, errors) {
    this.page = page;
    this.errors = errors;
  }

  async signIn(name) {
    await this.page.fill("#name", name);
    await this.page.click("#sign-in button");
  }

  async openRoom(room) {
    await this.page.fill("#room", room);
    await this.page.press("#room", "Enter");
    await this.page.locator("#title", { hasText: room }).waitFor();
    await this.page.locator("#send:enabled").waitFor();
  }

  async showRoom(room) {
    await this.page.click(`[data-room="${room}"]`);
  }

  async say(text) {
    await this.page.fill("#text", text);
    await this.page.press("#text", "Enter");
    await this.page.locator(".message:not(.pending) .text", { hasText: text }).last().waitFor();
  }

  async hears(text) {
    await this.page.locator("#messages .text", { hasText: text }).last().waitFor();
  }

  async isMember(room, ...names) {
    await this.page.locator("#title", { hasText: room }).waitFor();
    for (const name of names) await this.page.locator(`#members [data-member="${name}"]`).waitFor();
    await this.page.waitForFunction((count) => document.querySelectorAll("#members li").length === count, names.length);
  }

  async isInState(state) {
    await this.page.locator(`#state[data-state="${state}"]`).waitFor();
  }
}

describe("the page", () => {
  it("two people meet in two rooms", async () => {
    const [ann, bob] = [await Person.in("Ann"), await Person.arrive("Bob")];
    await ann.isMember("lobby", "Ann", "Bob");
    await bob.isMember("lobby", "Ann", "Bob");
    await ann.say("hello Bob");
    await bob.hears("hello Bob");
    assert.equal(await bob.page.locator(".message .name").last().innerText(), "Ann");

    await ann.openRoom("garden");
    await ann.isMember("garden", "Ann");
    await bob.page.locator('#other-rooms [data-room="garden"]').waitFor();
    await bob.showRoom("garden");
    await ann.isMember("garden", "Ann", "Bob");
    await ann.say("nice here");
    await bob.hears("nice here");

    await bob.showRoom("lobby");
    await ann.say("where are you?");
    const unread = bob.page.locator('[data-room="garden"] .unread');
    await unread.waitFor();
    assert.equal(await unread.innerText(), "1");
    await bob.showRoom("garden");
    await unread.waitFor({ state: "detached" });

    await bob.page.click("#leave");
    await ann.isMember("garden", "Ann");
    await ann.showRoom("lobby");
    await ann.isMember("lobby", "Ann", "Bob");
    await bob.page.close();
    await ann.isMember("lobby", "Ann");
    assert.deepEqual([...ann.errors, ...bob.errors], []);
  });

  it("a name that is taken or bad is refused, and another one is not", async () => {
    const ann = await Person.in("Ann");
    const other = await Person.arrive("ann");
    const refusal = other.page.locator("#refusal");
    await refusal.filter({ hasText: "called ann already" }).waitFor();
    assert.ok(await other.page.locator("#sign-in").isVisible());
    await other.signIn("a b");
    await refusal.filter({ hasText: "letters" }).waitFor();
    await other.signIn("Bob");
    await ann.isMember("lobby", "Ann", "Bob");
  });

  it("what people say is text and never markup", async () => {
    const [ann, bob] = [await Person.in("Ann"), await Person.arrive("Bob")];
    await ann.isMember("lobby", "Ann", "Bob");
    const markup = `<img src=x onerror="document.title='owned'"> <script>document.title='owned'</script>`;
    await ann.say(markup);
    await bob.hears("<img");
    assert.equal(await bob.page.locator("#messages .text").last().innerText(), markup);
    for (const { page } of [ann, bob]) {
      assert.equal(await page.locator("#messages img, #messages script").count(), 0);
      assert.equal(await page.title(), "roomcast chat");
    }
  });

  it("a question is answered by the others", async () => {
    const [ann, bob] = [await Person.in("Ann"), await Person.arrive("Bob")];
    await ann.isMember("lobby", "Ann", "Bob");
    await ann.page.fill("#text", "lunch?");
    await ann.page.click("#ask");
    await bob.page.click(".question button:has-text('Yes')");
    for (const { page } of [ann, bob]) {
      await page.locator(".note", { hasText: "Ann asked: lunch? 1 yes, 0 no, 0 silent" }).waitFor();
    }
  });

  it("typing is seen", async () => {
    const [ann, bob] = [await Person.in("Ann"), await Person.arrive("Bob")];
    await ann.isMember("lobby", "Ann", "Bob");
    await bob.page.locator("#text").pressSequentially("hm");
    await ann.page.locator("#typing", { hasText: "Bob is typing…" }).waitFor();
  });

  it("it comes back when the server does, with its rooms", async () => {
    const ann = await Person.in("Ann");
    await ann.openRoom("garden");
    await ann.isMember("garden", "Ann");
    await server.stop("SIGKILL");
    await ann.isInState("reconnecting");
    await ann.page.locator("#send:disabled").waitFor(); // with the next frame
    server = await startServer("--port", server.port);
    await ann.isInState("connected");
    await ann.isMember("garden", "Ann");
    const bob = await connected(`${server.url}/chat`, { auth: { name: "Bob" } });
    const { members } = await ask(bob, "join", "garden");
    assert.deepEqual(members.map(({ name }) => name), ["Ann", "Bob"]);
    await ann.isMember("garden", "Ann", "Bob");
    const said = next(bob, "said");
    await ann.say("I am back");
    assert.equal((await said).text, "I am back");
    await ann.showRoom("lobby");
    await ann.isMember("lobby", "Ann");
  });

  it("it fits a phone, and the dark", async () => {
    const ann = await Person.in("Ann", { viewport: { width: 390, height: 700 }, colorScheme: "dark" });
    await ann.say("small and dark");
    const box = await ann.page.locator("#say").boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= 390 && box.y + box.height <= 700, JSON.stringify(box));
    const scrolls = await ann.page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    assert.equal(scrolls, false);
    const background = await ann.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    assert.ok(background.match(/\d+/g).every((part) => Number(part) < 64), background);
  });

  it("has its picture taken", { skip: !process.env.SCREENSHOT }, async () => {
    const ann = await Person.in("Ann");
    const others = new Map();
    for (const [room, names] of Object.entries(conversation.rooms)) {
      for (const name of names) {
        if (!others.has(name)) others.set(name, await connected(`${server.url}/chat`, { auth: { name } }));
        await ask(others.get(name), "join", room);
      }
    }
    await ann.openRoom("release-1.0");
    await ann.showRoom("lobby");
    await ann.isMember("lobby", "Ann", ...conversation.rooms.lobby);
    await ann.page.evaluate(() => document.querySelectorAll(".note").forEach((note) => note.remove()));
    for (const [from, text] of conversation.lobby) {
      if (from === "Ann") await ann.say(text);
      else await ask(others.get(from), "say", { room: "lobby", text });
      await ann.hears(text);
    }
    for (const [from, room, text] of conversation.elsewhere) await ask(others.get(from), "say", { room, text });
    const { from, ...question } = conversation.question;
    others.get(from).emit("ask", question, () => {});
    await ann.page.locator(".question").waitFor();
    others.get("Chloé").emit("typing", "lobby");
    await ann.page.locator("#typing", { hasText: "Chloé" }).waitFor();
    await ann.page.locator('[data-room="release-1.0"] .unread', { hasText: "2" }).waitFor();
    await ann.page.screenshot({ path: process.env.SCREENSHOT });
  });
});
