// The WebSocket of the web's standard, as undici, Bun and Deno have it. They take headers, which browsers do not.
const { headers, protocols, say, text, url } = require("./lines.cjs");
const WebSocket = process.env.UNDICI ? require("undici").WebSocket : globalThis.WebSocket;

const session = new WebSocket(url, { protocols, headers });
session.onopen = () => {
  say("open");
  session.send("hello");
};
session.onmessage = ({ data }) => {
  const answer = text(data);
  if (answer) session.send(answer);
};
session.onerror = ({ message, error }) => say("error", { text: String(error?.cause?.message ?? error?.message ?? message ?? "") });
session.onclose = ({ code, reason }) => say("close", { code, reason });
