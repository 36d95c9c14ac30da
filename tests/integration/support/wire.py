# SPDX-License-Identifier: LGPL-2.1-or-later
"""HTTP/1.1 as it is on the wire: requests in whatever pieces, and answers that are read to the byte, so
that one too many is seen, and one that does not begin where the one before ended."""

import json
import random
import re
import select
import socket

DEADLINE = 60
STATUS_LINE = re.compile(r'HTTP/1\.1 ([1-5][0-9][0-9]) [ -~]*')
FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\0\r\n]*?)[ \t]*")


class Answer:
    """FIELDS has lower-case names."""

    def __init__(self, status, fields, body):
        self.status, self.fields, self.body = status, fields, body

    def __repr__(self):
        return f'{self.status} {self.fields} {self.body[:200]!r}'

    @property
    def closes(self):
        return self.fields.get('connection', '').lower() == 'close'

    def check(self, head=False):
        """What is true of any answer."""
        if self.status >= 200:
            assert 'date' in self.fields, self
        if self.status < 200 or self.status == 204:
            assert 'content-length' not in self.fields and 'transfer-encoding' not in self.fields, self
        if self.status >= 400 and not head:
            assert self.fields['content-type'] == 'application/problem+json', self
            problem = json.loads(self.body)
            assert problem['status'] == self.status and problem['title'] and problem['type'], self
        if self.status == 405:
            assert self.fields['allow'], self


class Wire:
    """A connection. The server may close it whenever it likes: then what it has sent is still read."""

    def __init__(self, port):
        self.socket = socket.create_connection(('127.0.0.1', port), timeout=DEADLINE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b''

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, *pieces):
        try:
            for piece in pieces:
                self.socket.sendall(piece)
        except ConnectionError:
            pass
        return self

    def half_close(self):
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        return self

    def is_answered(self, seconds):
        """Whether anything comes, the end of the connection included."""
        return bool(self.buffer) or bool(select.select([self.socket], [], [], seconds)[0])

    def more(self):
        """Reads a piece; False at the end."""
        try:
            piece = self.socket.recv(65536)
        except ConnectionError:
            piece = b''
        self.buffer += piece
        return bool(piece)

    def until(self, end):
        while end not in self.buffer:
            assert self.more(), f'cut off: {self.buffer!r}'
        found, _, self.buffer = self.buffer.partition(end)
        return found

    def exactly(self, size):
        while len(self.buffer) < size:
            assert self.more(), f'cut off: {self.buffer!r}'
        found, self.buffer = self.buffer[:size], self.buffer[size:]
        return found

    def answer(self, head=False):
        """The next one, or None if the server has closed instead. HEAD: it has no body."""
        if not self.buffer and not self.more():
            return None
        status_line, *lines = self.until(b'\r\n\r\n').decode('latin-1').split('\r\n')
        found = STATUS_LINE.fullmatch(status_line)
        assert found, f'no status line: {status_line!r}'
        status = int(found[1])
        matches = [FIELD.fullmatch(line) for line in lines]
        assert all(matches), lines
        fields = {match[1].lower(): match[2] for match in matches}

        answer = Answer(status, fields, b'')
        if status >= 200 and status not in (204, 304) and not head:
            answer.body = self.body(fields)
        answer.check(head)
        return answer

    def body(self, fields):
        if fields.get('transfer-encoding') == 'chunked':
            body = b''
            while size := int(self.until(b'\r\n'), 16):
                body += self.exactly(size)
                assert self.exactly(2) == b'\r\n'
            assert self.until(b'\r\n') == b''
            return body
        return self.exactly(int(fields['content-length']))

    def is_closed(self):
        """Whether the server ends the connection, without another byte."""
        while not self.buffer:
            if not self.more():
                return True
        return False


def pieces_of(data, how):
    """The whole, single bytes, or, each time the same, pieces of some bytes."""
    if how == 'whole':
        return [data]
    if how == 'bytes':
        return [data[i:i + 1] for i in range(len(data))]
    chance = random.Random(data)
    cuts = sorted(chance.sample(range(1, len(data)), min(6, len(data) - 1)))
    return [data[i:j] for i, j in zip([0, *cuts], [*cuts, len(data)])]
