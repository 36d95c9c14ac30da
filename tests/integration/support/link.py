# SPDX-License-Identifier: LGPL-2.1-or-later
"""A connection between daemons that can be cut: a relay for TCP in the way of one of them."""

import asyncio
import socket
import threading

PIECE = 1 << 16


def end_with_reset(writer):
    end = writer.get_extra_info('socket')
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
    writer.transport.abort()


class Link:
    """Relays to a port of this machine, on a thread that all links share."""

    loop = None

    def __init__(self, target):
        self.target = target
        self.is_open = True
        self.flows = asyncio.Event()  # nothing passes while it is not set
        self.flows.set()
        self.writers = set()
        if not Link.loop:
            Link.loop = asyncio.new_event_loop()
            threading.Thread(target=Link.loop.run_forever, daemon=True).start()
        server = self._run(asyncio.start_server(self._relay, '127.0.0.1', 0))
        self.port = server.sockets[0].getsockname()[1]

    @staticmethod
    def _run(coroutine, deadline=10):
        return asyncio.run_coroutine_threadsafe(coroutine, Link.loop).result(deadline)

    async def _pump(self, reader, writer):
        while data := await reader.read(PIECE):
            await self.flows.wait()
            writer.write(data)
            await writer.drain()
        writer.write_eof()

    async def _join(self, near, far):
        """Passes on between two pairs of reader and writer until both have ended."""
        await asyncio.gather(self._pump(near[0], far[1]), self._pump(far[0], near[1]))

    async def _relay(self, reader, writer):
        writers = {writer}
        self.writers.add(writer)
        try:
            if self.is_open:
                far_reader, far_writer = await asyncio.open_connection('127.0.0.1', self.target)
                writers.add(far_writer)
                self.writers.add(far_writer)
                await self._join((reader, writer), (far_reader, far_writer))
        except OSError:
            pass  # one end has gone, so does the other
        finally:
            self.writers -= writers
            for one in writers:
                one.transport.abort()

    async def _reset(self):
        for writer in list(self.writers):
            end_with_reset(writer)

    async def _set(self, is_open, flows):
        self.is_open = is_open
        if flows:
            self.flows.set()
        else:
            self.flows.clear()

    def reset(self):
        """Cuts what is connected. Who tries again succeeds."""
        self._run(self._reset())

    def close(self):
        """Cuts what is connected, and lets nobody in."""
        self._run(self._set(False, True))
        self._run(self._reset())

    def stall(self):
        """Nothing arrives any more, and nobody is told."""
        self._run(self._set(True, False))

    def open(self):
        self._run(self._set(True, True))
