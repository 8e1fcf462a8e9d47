"""``python -m benchmarks.distance PORT DELAY``: a server of this machine as if it were further away, in its own process.

Whatever goes to the port that it prints goes on to PORT of this machine; what is answered comes back DELAY milliseconds
later.
"""

from __future__ import annotations

import asyncio
import sys

_CHUNK = 256 * 1024


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    loop = asyncio.get_running_loop()
    while data := await reader.read(_CHUNK):
        loop.call_later(delay, writer.write, data)
    loop.call_later(delay, writer.close)


async def _serve(port: int, delay: float) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, questions = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_carry(reader, questions, 0), _carry(answers, writer, delay))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


def main() -> None:
    """Serve until the process is ended."""
    port, delay = sys.argv[1:]
    asyncio.run(_serve(int(port), float(delay) / 1000))


if __name__ == "__main__":
    main()
