import asyncio, os, sys, websockets

async def main(url, terminal):
    headers = {"Authorization": "Bearer " + os.environ["TOKEN"]}
    async with websockets.connect(f"{url}?terminal_id={terminal}", additional_headers=headers) as socket:
        await socket.send("hello from " + terminal)
        await socket.send(bytes([1, 2, 3]))
        async for message in socket:
            print(message, flush=True)

asyncio.run(main(*sys.argv[1:]))
