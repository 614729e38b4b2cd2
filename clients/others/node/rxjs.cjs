// rxjs, on ws
const { webSocket } = require("rxjs/webSocket");
const Line = require("./line.cjs");
const { protocols, say, text, url } = require("./lines.cjs");

const session = webSocket({
  url,
  protocol: protocols,
  WebSocketCtor: Line,
  serializer: (message) => message,
  deserializer: ({ data }) => data,
  openObserver: {
    next() {
      say("open");
      session.next("hello");
    },
  },
  closeObserver: { next: ({ code, reason }) => say("close", { code, reason }) },
});
session.subscribe({
  next(message) {
    const answer = text(message);
    if (answer) session.next(answer);
  },
  // The end of a session is an error too, which has its code.
  error: ({ message }) => message && say("error", { text: message }),
});
