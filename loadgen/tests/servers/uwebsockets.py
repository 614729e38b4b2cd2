"""A server of uWebSockets as many have one: what is posted to it goes to all that are connected.   python3 uwebsockets.py PORT"""

import sys

from socketify import App, AppListenOptions, CompressOptions, OpCode

TOPIC = "all"
# The body of what is posted, in bytes.
BODY_MAX = 64 << 10


async def relay(response, request):
    """Publish the body of a request."""
    text = await response.get_text()
    app.publish(TOPIC, text, OpCode.TEXT)
    response.write_status(202).end("")


app = App()
app.ws(
    "/*",
    {
        "compression": CompressOptions.DISABLED,
        "max_backpressure": BODY_MAX * 1024,
        "idle_timeout": 0,
        "open": lambda socket: socket.subscribe(TOPIC),
    },
)
app.post("/", relay)
app.listen(AppListenOptions(port=int(sys.argv[1]), host="127.0.0.1"))
app.run()
