// What each program of this folder is told, and what it prints: one JSON object a line. Node reads the CA from NODE_EXTRA_CA_CERTS.
const { TOKEN, HEAD } = process.env;
const offered = HEAD === "subprotocol";

exports.url = process.argv[2];
exports.headers = offered ? {} : { Authorization: `Bearer ${TOKEN}` };
exports.protocols = offered ? ["muster.plain", `muster.bearer.${TOKEN}`] : [];

/** Prints what the library told. */
const say = (exports.say = (saw, fields) => console.log(JSON.stringify({ saw, ...fields })));

/** Prints a message, and returns what is to be sent in answer, if anything is. */
exports.text = (message) => {
  say("text", { size: message.length, text: message.slice(0, 64) });
  return message.startsWith("send ") ? "x".repeat(Number(message.split(" ")[1])) : undefined;
};

/** Prints a refusal with all of its body. */
exports.refused = (answer) => {
  let body = "";
  answer.on("data", (part) => (body += part));
  answer.on("end", () => say("refused", { status: answer.statusCode, body }));
};
