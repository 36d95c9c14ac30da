# SPDX-License-Identifier: LGPL-2.1-or-later
"""Cuts channels between daemons at a byte of one's choice: a relay that knows where in a channel it is.

Only channels are cut. What else goes over the same address, such as clients that were redirected, passes."""

import asyncio
import random
import struct
import time

from channel import PATH, TAG_SIZE
from link import PIECE, Link, end_with_reset

HANDSHAKE, HEADER, PAYLOAD, TAG, BETWEEN = PLACES = ('handshake', 'header', 'payload', 'tag', 'between frames')
HEADER_SIZE = 16

# What the two ends see of it. After END_ONE, who sends is not told, and goes on into the void until the
# other one closes.
RESET, END, END_ONE = HOWS = ('reset', 'end', 'end of one direction')
OUT, BACK = DIRECTIONS = ('out', 'back')


class Course:
    """Where in a channel each byte of one direction lies."""

    def __init__(self):
        self.place, self.head, self.left = HANDSHAKE, b'', 0

    def _handshake(self, data):
        """How much of DATA belongs to it."""
        before = len(self.head)
        self.head += data
        end = self.head.find(b'\r\n\r\n')
        if end < 0:
            return len(data)
        self._enter(HEADER, HEADER_SIZE)
        return end + 4 - before

    def _enter(self, place, size):
        self.place, self.left = place, size
        if place == HEADER:
            self.head = b''

    def _leave(self):
        if self.place == HEADER:
            length = struct.unpack('<I', self.head[:4])[0]
            self._enter(*((PAYLOAD, length) if length > 0 else (TAG, TAG_SIZE)))
        elif self.place == PAYLOAD:
            self._enter(TAG, TAG_SIZE)
        else:
            self._enter(HEADER, HEADER_SIZE)

    def parts(self, data):
        """Yields place, begin and end of all that is in DATA, and where a new frame begins there."""
        at = 0
        while at < len(data):
            place, begin = self.place, at
            if place == HANDSHAKE:
                at += self._handshake(data[at:])
            else:
                if place == HEADER and self.left == HEADER_SIZE:
                    yield BETWEEN, at, at + 1
                at += min(self.left, len(data) - at)
                self.left -= at - begin
                if place == HEADER:
                    self.head += data[begin:at]
                if self.left == 0:
                    self._leave()
            yield place, begin, at


class Cut:
    """One that is to be made: where, in which direction, what is seen of it, and how many such places
    pass before."""

    def __init__(self, place, direction, how, skip=0):
        self.place, self.direction, self.how, self.skip = place, direction, how, skip

    def find(self, parts, direction):
        """How many bytes of PARTS still pass; None if all of them do."""
        for place, begin, end in parts:
            if (place, direction) != (self.place, self.direction):
                continue
            if self.skip == 0:
                return random.randrange(begin, end)
            self.skip -= 1
        return None


class Wire:
    """A channel that is relayed: the writers of its two ends, and what does not pass any more."""

    def __init__(self, near, far):
        self.ends = (near, far)
        self.silent = set()

    async def cut(self, cut, last):
        """After LAST, which is all that still passes."""
        writer = self.ends[cut.direction == OUT]
        self.silent |= {cut.direction} if cut.how == END_ONE else {OUT, BACK}
        writer.write(last)
        while writer.transport.get_write_buffer_size() > 0:
            await asyncio.sleep(0.001)
        if cut.how == RESET:
            self.reset()
        else:
            for one in [writer] if cut.how == END_ONE else self.ends:
                one.write_eof()

    def reset(self):
        self.silent |= {OUT, BACK}
        for one in self.ends:
            end_with_reset(one)


class CutLink(Link):
    """A link whose channels are cut on demand."""

    def __init__(self, target):
        self.cut = None  # to be made
        self.wires = set()
        super().__init__(target)

    async def _join(self, near, far):
        first = await near[0].read(PIECE)
        if not first.startswith(f'GET {PATH} '.encode()):
            far[1].write(first)
            await super()._join(near, far)
            return
        wire = Wire(near[1], far[1])
        self.wires.add(wire)
        try:
            await asyncio.gather(self._pass(wire, near[0], far[1], OUT, first),
                                 self._pass(wire, far[0], near[1], BACK, b''))
        finally:
            self.wires.discard(wire)

    async def _pass(self, wire, reader, writer, direction, data):
        course = Course()
        while data := data or await reader.read(PIECE):
            parts = list(course.parts(data))
            size = self.cut.find(parts, direction) if self.cut else None
            if size is not None:
                cut, self.cut = self.cut, None
                await wire.cut(cut, data[:size])
            elif direction not in wire.silent:
                writer.write(data)
                await writer.drain()
            data = b''
        if direction not in wire.silent:
            writer.write_eof()

    async def _await(self, cut, deadline):
        self.cut = cut
        if cut.place == HANDSHAKE:  # then there must be one
            for wire in list(self.wires):
                wire.reset()
        end = time.monotonic() + deadline
        while self.cut and time.monotonic() < end:
            await asyncio.sleep(0.002)
        is_made, self.cut = not self.cut, None
        return is_made

    def make(self, cut, deadline):
        """Waits until a channel came to the place and was cut there. Returns whether one did."""
        return self._run(self._await(cut, deadline), deadline + 10)
