// ws, made as a browser's WebSocket is, for libraries that make it themselves: they have no place for headers.
const WebSocket = require("ws");
const { headers } = require("./lines.cjs");

module.exports = class Line extends WebSocket {
  constructor(url, protocols) {
    super(url, protocols, { headers });
  }
};
