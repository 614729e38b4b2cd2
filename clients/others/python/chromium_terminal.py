"""Chromium: a page's WebSocket, which can set no header and learns nothing of a refused handshake."""

import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from lines import SUBPROTOCOLS, URL
from playwright.sync_api import sync_playwright

PAGE = """([url, protocols]) => new Promise((resolve) => {
  const say = (saw, fields) => console.log(JSON.stringify({ saw, ...fields }));
  const session = new WebSocket(url, protocols);
  session.onopen = () => { say("open"); session.send("hello"); };
  session.onmessage = ({ data }) => {
    say("text", { size: data.length, text: data.slice(0, 64) });
    if (data.startsWith("send ")) session.send("x".repeat(Number(data.split(" ")[1])));
  };
  session.onerror = () => say("error", { text: "" });
  session.onclose = ({ code, reason }) => { say("close", { code, reason }); resolve(); };
})"""

# A page needs an origin of this machine, which a node lets in.
server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory="/nowhere"))
threading.Thread(target=server.serve_forever, daemon=True).start()
with sync_playwright() as playwright:
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
    # Chromium has its own store of authorities: this program trusts whoever answers.
    page = browser.new_context(ignore_https_errors=True).new_page()
    page.goto(f"http://127.0.0.1:{server.server_port}/")
    page.on("console", lambda line: line.text.startswith("{") and print(line.text, flush=True))
    page.evaluate(PAGE, [URL, SUBPROTOCOLS])
    browser.close()
