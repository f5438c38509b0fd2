// A conversation for the picture of the page: who is where, and says what.

export const rooms = {
  lobby: ["Bob", "Chloé", "Dmitri", "Emeka", "Fen", "Grace"],
  "release-1.0": ["Bob", "Dmitri", "Grace", "Ines"],
  garden: ["Fen", "Hana"],
  music: ["Emeka", "Hana", "Ines"],
};

/** Lines of the lobby; those of `Ann` are typed in the page. */
export const lobby = [
  ["Bob", "Morning! Is the new server up?"],
  ["Ann", "Since eight. Polling, WebSocket, and the upgrade in between."],
  ["Ann", "Nobody noticed, which is how I like it."],
  ["Chloé", "I pulled the cable in the middle of a sentence, and my rooms were all back a second later."],
  ["Dmitri", "<b>bold</b> is not bold. Good."],
  ["Emeka", "How many rooms can I be in?"],
  ["Grace", "Thirty-two at a time."],
  ["Grace", "And a message to a room is one entry in its log, whoever is in it reads it from there."],
  ["Fen", "Così mi piace. Grazie!"],
];

/** Said in another room meanwhile. */
export const elsewhere = [
  ["Ines", "release-1.0", "The changelog is done."],
  ["Dmitri", "release-1.0", "Then let us tag it."],
];

export const question = { from: "Bob", room: "lobby", question: "Lunch at noon?", seconds: 60 };
