#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attacks on a daemon: many connections, from many addresses, that cost it something and get nowhere.
A connection that is closed is made anew. As a program: siege.py PORT KIND=COUNT [KIND=COUNT...], until it
is killed; says "ready" once all were there. The kinds are below."""

import os
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import time

RESET = struct.pack('ii', 1, 0)


class Attacker:
    """One connection. tick() is called about each second, and whether the daemon has sent something
    does not matter unless `reads` is true."""
    reads = False
    lifetime = float('inf')

    def __init__(self, port):
        self.born = time.monotonic()
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        address = f'127.{random.randrange(1, 250)}.{random.randrange(250)}.{random.randrange(1, 250)}'
        self.socket.bind((address, 0))
        self.socket.connect_ex(('127.0.0.1', port))

    def send(self, data):
        try:
            self.socket.send(data if isinstance(data, bytes) else data.encode())
        except BlockingIOError:
            pass

    def head(self, method, path, *headers):
        self.send('\r\n'.join([f'{method} {path} HTTP/1.1', 'Host: dkv', *headers, '', '']))

    def begin(self):
        """The connection is there."""

    def tick(self):
        pass


class Silent(Attacker):
    """Says nothing."""


class Headers(Attacker):
    """A header section that never ends, a byte at a time."""

    def begin(self):
        self.send('GET /k HTTP/1.1\r\nHost: dkv\r\nX: ')

    def tick(self):
        self.send('x')


class Huge(Headers):
    """As large a header section as there may be, and not its end."""

    def begin(self):
        self.send('GET /k HTTP/1.1\r\nHost: dkv\r\nX: ' + 15000 * 'x')


class Commits(Attacker):
    """A large body where only daemons have something to say, with a signature that is none, and a part of it."""
    path = '/-/channel'

    def begin(self):
        self.head('POST', self.path, f'Content-Length: {8 << 20}',
                  f'Dkv-Signature: {int(time.time()) + 60:x}.{32 * "a"}')
        self.send(bytes(600 << 10))


class Stores(Commits):
    """The same at a volume."""
    path = '/-/fetch'


class Bodies(Attacker):
    """A small value, a byte at a time."""

    def begin(self):
        self.head('PUT', '/siege/body', 'Content-Length: 30000')

    def tick(self):
        self.send('x')


class Chunks(Bodies):
    """A value in chunks of one byte."""

    def begin(self):
        self.head('PUT', '/siege/chunks', 'Transfer-Encoding: chunked')

    def tick(self):
        self.send('1\r\nx\r\n')


class Relayed(Bodies):
    """A large value that goes through the master, a part of it."""

    def begin(self):
        self.head('PUT', '/siege/relayed', 'Content-Length: 10000000')
        self.send(bytes(100000))


class Lists(Attacker):
    """A page of a listing that nobody reads."""

    def begin(self):
        self.head('GET', '/?limit=10000')


class Proxied(Attacker):
    """A large value through the master that nobody reads."""

    def begin(self):
        self.head('GET', '/siege/large?proxy=1')


class Heads(Attacker):
    """Thousands of requests, and nobody reads the answers."""

    def begin(self):
        self.tick()

    def tick(self):
        self.send(1000 * b'HEAD /siege/small HTTP/1.1\r\nHost: dkv\r\n\r\n')


class Idle(Attacker):
    """One request, and then nothing."""

    def begin(self):
        self.head('HEAD', '/siege/small')


class Resets(Attacker):
    """Goes away in the middle of a request, without a goodbye."""
    lifetime = 0.2

    def begin(self):
        self.head('PUT', '/siege/reset', 'Content-Length: 1000')
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


class Halves(Attacker):
    """Closes its side in the middle of the headers, and stays."""

    def begin(self):
        self.send('PUT /siege/half HTTP/1.1\r\nHost: d')
        self.socket.shutdown(socket.SHUT_WR)


class Unsigned(Attacker):
    """Channels with an offer that is none, as fast as they are refused."""
    reads = True

    def begin(self):
        self.head('GET', '/-/channel', 'Connection: Upgrade', 'Upgrade: dkv-channel/1', f'Dkv-Channel: {250 * "0"}')

    def tick(self):
        self.begin()


KINDS = {kind.__name__.lower(): kind for kind in (
    Silent, Headers, Huge, Commits, Stores, Bodies, Chunks, Relayed, Lists, Proxied, Heads, Idle, Resets,
    Halves, Unsigned)}


class Siege:
    """All attackers, in one thread. About so many connections are made each second."""
    CONNECTS = int(os.environ.get('SIEGE_CONNECTS', '300'))

    def __init__(self, port, counts):
        self.port = port
        self.wanted = [KINDS[kind] for kind, n in counts.items() for _ in range(n)]
        random.shuffle(self.wanted)
        self.attackers = {}
        self.ticks = []
        self.epoll = select.epoll()

    def close(self, fd):
        attacker = self.attackers.pop(fd)
        self.epoll.unregister(fd)
        attacker.socket.close()
        self.wanted.append(type(attacker))

    def on_event(self, fd, events):
        attacker = self.attackers[fd]
        try:
            if events & select.EPOLLOUT:  # connected
                self.epoll.modify(fd, select.EPOLLIN if attacker.reads else select.EPOLLHUP)
                attacker.begin()
            elif events & select.EPOLLIN and attacker.socket.recv(65536):
                attacker.tick()
            else:
                self.close(fd)
        except OSError:
            self.close(fd)

    def connect(self):
        kind = self.wanted.pop(0)
        try:
            attacker = kind(self.port)
        except OSError:
            self.wanted.append(kind)  # no port left
            return
        self.attackers[attacker.socket.fileno()] = attacker
        self.epoll.register(attacker.socket.fileno(), select.EPOLLOUT)

    def tick(self):
        for fd, attacker in list(self.attackers.items()):
            try:
                if time.monotonic() - attacker.born > attacker.lifetime:
                    raise OSError
                attacker.tick()
            except OSError:
                self.close(fd)

    def run(self):
        connected, all_of_them, ticked = 0, len(self.wanted), time.monotonic()
        ready = False
        while True:
            for _ in range(min(len(self.wanted), self.CONNECTS // 50)):
                self.connect()
                connected += 1
            end = time.monotonic() + 0.02
            while (left := end - time.monotonic()) > 0:
                for fd, events in self.epoll.poll(left):
                    if fd in self.attackers:
                        self.on_event(fd, events)
            if time.monotonic() - ticked > 1:
                ticked = time.monotonic()
                self.tick()
            if not ready and connected >= all_of_them:
                ready = True
                print('ready', flush=True)


class Attack:
    """Such a program, as long as the block runs."""

    def __init__(self, port, **counts):
        self.arguments = [str(port), *(f'{kind}={n}' for kind, n in counts.items())]

    def __enter__(self):
        self.process = subprocess.Popen(
            ['setpriv', '--pdeathsig=KILL', sys.executable, __file__, *self.arguments],
            stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == 'ready\n'
        return self

    def __exit__(self, *_):
        assert self.process.poll() is None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()


def main(port, *counts):
    os.nice(10)
    Siege(int(port), {kind: int(n) for kind, n in (one.split('=') for one in counts)}).run()


if __name__ == '__main__':
    main(*sys.argv[1:])
