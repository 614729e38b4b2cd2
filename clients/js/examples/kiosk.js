// A terminal that shows texts on its standard output. Run it beside `muster quickstart`:
//
//   node kiosk.js [URL] [ID] [TOKEN_FILE]

import process from "node:process";
import { CommandRejected, Terminal, tokenFile } from "muster-client";

const [url = "ws://127.0.0.1:9000/ws", id = "js-1", token] = process.argv.slice(2);

const terminal = new Terminal({
  url,
  id,
  token: token === undefined ? undefined : tokenFile(token),
  memory: `./${id}.memory`,
  labels: { kind: "kiosk" },
  run(command) {
    if (command.name !== "show") throw new CommandRejected();
    console.log(command.payload);
    return { shown: true };
  },
  report: (report) => console.error(report),
});

process.once("SIGINT", () => terminal.close());
