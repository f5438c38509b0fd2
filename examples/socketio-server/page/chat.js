// The chat's page: signs in, and shows rooms, messages and members. What the server says of people is shown as
// text, never as markup.

/* global io */

const ANSWER_IN_SECONDS = 20;
const ANSWER_TO_REQUEST = 10_000;
const TYPING_SHOWN = 3000;
const TYPING_SENT = 2000;
const FIRST_ROOM = "lobby";
const MESSAGES_KEPT = 500;

const at = (id) => document.getElementById(id);

/** The rooms that this person is in, also while the connection is lost: it joins them again. */
const rooms = new Map();
/** How many are in each room that there is. */
const counts = new Map();
let current = null;

// Whoever has name and key is the same person: that gets the name back when the connection was lost.
const key = Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join("");
const socket = io("/chat", { autoConnect: false, auth: { name: "", key } });

// ---- the connection

function showState(state, words = state) {
  at("state").dataset.state = state;
  at("state").textContent = words;
  render();
}

at("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  socket.auth.name = at("name").value.trim();
  at("refusal").textContent = "connecting…";
  socket.connect();
});

socket.on("connect", () => {
  at("refusal").textContent = "";
  at("sign-in").hidden = true;
  at("chat").hidden = false;
  at("me").textContent = socket.auth.name;
  showState("connected");
  if (rooms.size === 0) rooms.set(FIRST_ROOM, new Room(FIRST_ROOM));
  rooms.forEach((room) => room.join());
  show(current ?? rooms.values().next().value);
});

socket.on("connect_error", (error) => {
  if (socket.active) {
    showState("reconnecting", "reconnecting…"); // the client tries again
    at("refusal").textContent = "the server cannot be reached; trying again…";
  } else {
    showState("refused", `refused: ${error.message}`);
    at("refusal").textContent = error.message;
    at("sign-in").hidden = false;
    at("chat").hidden = true;
  }
});

socket.on("disconnect", (reason) => {
  rooms.forEach((room) => room.lose());
  if (socket.active) {
    showState("reconnecting", "reconnecting…");
  } else if (reason === "io server disconnect") {
    showState("refused", "signed in elsewhere");
  }
});

// This client was too slow, and what it knows is out of date: it begins anew.
socket.on("gap", () => {
  rooms.forEach((room) => room.note("some messages were missed"));
  socket.disconnect().connect();
});

async function request(event, data) {
  try {
    return await socket.timeout(ANSWER_TO_REQUEST).emitWithAck(event, data);
  } catch {
    return { error: "the server does not answer" };
  }
}

// ---- rooms

class Room {
  constructor(name) {
    this.name = name;
    this.isJoined = false;
    this.unread = 0;
    this.members = new Map();
    this.typing = new Map();
    this.log = document.createElement("div");
    this.lastFrom = null;
  }

  async join() {
    const answer = await request("join", this.name);
    if (answer.error && answer.code !== "already-joined") {
      at("room-problem").textContent = answer.error;
      if (!this.isJoined && socket.connected) forget(this);
      return;
    }
    if (answer.error) return;
    this.isJoined = true;
    this.members = new Map(answer.members.map(({ id, name }) => [id, name]));
    render();
  }

  /** The connection is lost: it is in no room until it joins again. */
  lose() {
    this.isJoined = false;
    this.members.clear();
    this.typing.clear();
  }

  add(element, isNews = true) {
    const { scrollTop, scrollHeight, clientHeight } = at("messages");
    const isAtEnd = scrollTop + clientHeight >= scrollHeight - 40;
    this.log.append(element);
    if (this.log.childElementCount > MESSAGES_KEPT) this.log.firstChild.remove();
    if (this !== current && isNews) this.unread += 1;
    if (this === current && isAtEnd) scrollToEnd();
  }

  note(text) {
    this.lastFrom = null;
    this.add(make("p", "note", text), false);
  }

  message(from, text) {
    const element = make("div", from === this.lastFrom ? "message" : "message first");
    element.style.setProperty("--hue", hue(from));
    const head = make("div", "head");
    const time = make("time", "", new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
    head.append(make("bdi", "name", from), time);
    const words = make("div", "text", text);
    words.dir = "auto";
    element.append(avatar(from), head, words);
    this.lastFrom = from;
    this.add(element);
    return element;
  }
}

function scrollToEnd() {
  at("messages").scrollTop = at("messages").scrollHeight;
}

function show(room) {
  current = room ?? null;
  if (room) room.unread = 0;
  at("messages").replaceChildren(...(room ? [room.log] : []));
  scrollToEnd();
  render();
}

function open(name) {
  at("room-problem").textContent = "";
  if (!rooms.has(name)) {
    rooms.set(name, new Room(name));
    rooms.get(name).join();
  }
  show(rooms.get(name));
  at("text").focus();
}

function forget(room) {
  rooms.delete(room.name);
  if (room === current) show(rooms.values().next().value);
  render();
}

at("open-room").addEventListener("submit", (event) => {
  event.preventDefault();
  open(at("room").value.trim());
  at("room").value = "";
});

at("leave").addEventListener("click", () => {
  request("leave", current.name);
  forget(current);
});

socket.on("rooms", (all) => {
  counts.clear();
  all.forEach(({ room, count }) => counts.set(room, count));
  render();
});

socket.on("room", ({ room, count }) => {
  if (count > 0) counts.set(room, count);
  else counts.delete(room);
  render();
});

/** Has something done with the room that an event is about, if this person is in it. */
function inRoom(event, act) {
  socket.on(event, (data, answer) => {
    const room = rooms.get(data.room);
    if (!room) return;
    act(room, data, answer);
    render();
  });
}

inRoom("joined", (room, { member }) => {
  room.members.set(member.id, member.name);
  room.note(`${member.name} has come`);
});

inRoom("left", (room, { id }) => {
  if (room.members.has(id)) room.note(`${room.members.get(id)} has gone`);
  room.members.delete(id);
});

// ---- messages

at("say").addEventListener("submit", async (event) => {
  event.preventDefault();
  const room = current;
  const text = at("text").value;
  at("text").value = "";
  const message = room.message(socket.auth.name, text);
  message.classList.add("pending");
  scrollToEnd();
  const answer = await request("say", { room: room.name, text });
  message.classList.remove("pending");
  if (answer.error) {
    message.classList.add("failed");
    room.note(`not sent: ${answer.error}`);
  }
});

inRoom("said", (room, { from, text }) => {
  clearTimeout(room.typing.get(from));
  room.typing.delete(from);
  room.message(from, text);
});

let typed = 0;
at("text").addEventListener("input", () => {
  if (!current?.isJoined || Date.now() - typed < TYPING_SENT) return;
  typed = Date.now();
  socket.volatile.emit("typing", current.name);
});

inRoom("typing", (room, { from }) => {
  clearTimeout(room.typing.get(from));
  const over = setTimeout(() => {
    room.typing.delete(from);
    render();
  }, TYPING_SHOWN);
  room.typing.set(from, over);
});

// ---- questions

at("ask").addEventListener("click", async () => {
  const question = at("text").value.trim();
  if (!question) return at("text").focus();
  const room = current;
  at("text").value = "";
  room.note(`you ask: ${question}`);
  const asked = { room: room.name, question, seconds: ANSWER_IN_SECONDS };
  // It is answered when the others have, or the time is over.
  const timeout = ANSWER_IN_SECONDS * 1000 + ANSWER_TO_REQUEST;
  const outcome = await socket.timeout(timeout).emitWithAck("ask", asked).catch(() => ({ error: "no answer" }));
  room.note(outcome.error ? `not asked: ${outcome.error}` : decided(outcome));
});

inRoom("asked", (room, { from, question, seconds }, answer) => {
  const card = make("div", "question");
  const buttons = [
    [true, "Yes"],
    [false, "No"],
  ].map(([value, label]) => {
    const button = make("button", "", label);
    button.type = "button";
    button.addEventListener("click", () => {
      answer(value);
      card.replaceChildren(make("p", "", `${from} asks: ${question} You: ${label.toLowerCase()}`));
    });
    return button;
  });
  card.append(make("p", "", `${from} asks: ${question}`), ...buttons);
  setTimeout(() => buttons.forEach((button) => (button.disabled = true)), seconds * 1000);
  room.lastFrom = null;
  room.add(card);
});

inRoom("outcome", (room, outcome) => room.note(decided(outcome)));

function decided({ from, question, yes, no, silent }) {
  return `${from} asked: ${question} ${yes} yes, ${no} no, ${silent} silent`;
}

// ---- what is shown

let isDue = false;

/** Has lists and controls drawn, once before the browser paints. */
function render() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    draw();
  });
}

function draw() {
  const names = [...rooms.keys()];
  fill(at("own-rooms"), names.map(roomItem));
  const others = [...counts.keys()].filter((name) => !rooms.has(name)).sort();
  fill(at("other-rooms"), others.map(roomItem));
  at("title").textContent = current?.name ?? "";
  at("title").hidden = at("leave").hidden = !current;
  at("send").disabled = at("ask").disabled = !(socket.connected && current?.isJoined);
  const members = [...(current?.members.values() ?? [])];
  at("member-count").textContent = members.length || "";
  at("members").replaceChildren(...members.map(memberItem));
  const typing = [...(current?.typing.keys() ?? [])];
  at("typing").textContent = typing.length ? `${typing.join(", ")} ${typing.length > 1 ? "are" : "is"} typing…` : "";
}

/** Puts elements into a list, unless they are there: a click is lost if its element is put in anew meanwhile. */
function fill(list, items) {
  const isSame = items.length === list.children.length && items.every((item, n) => item === list.children[n]);
  if (!isSame) list.replaceChildren(...items);
}

/** The elements of rooms, which stay the same while what they show changes. */
const roomItems = new Map();

function roomItem(name) {
  if (!roomItems.has(name)) {
    const item = document.createElement("li");
    const button = make("button");
    button.type = "button";
    button.dataset.room = name;
    button.addEventListener("click", () => open(name));
    item.append(button);
    roomItems.set(name, item);
  }
  const item = roomItems.get(name);
  const unread = rooms.get(name)?.unread ?? 0;
  item.firstChild.setAttribute("aria-current", current?.name === name);
  item.firstChild.replaceChildren(
    make("bdi", "room", name),
    ...(unread > 0 ? [make("span", "unread", unread)] : []),
    ...(counts.has(name) ? [make("span", "count", counts.get(name))] : []),
  );
  return item;
}

function memberItem(name) {
  const item = make("li", name === socket.auth.name ? "self" : "");
  item.dataset.member = name;
  item.style.setProperty("--hue", hue(name));
  item.append(avatar(name), make("bdi", "", name));
  return item;
}

function avatar(name) {
  return make("span", "avatar", [...name][0].toUpperCase());
}

/** The hue of a name, always the same. FNV-1a, as names that are alike should not look alike. */
function hue(name) {
  const hash = [...name].reduce((hash, letter) => Math.imul(hash ^ letter.codePointAt(0), 0x01000193), 0x811c9dc5);
  return (hash >>> 0) % 360;
}

function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}
