# SPDX-License-Identifier: LGPL-2.1-or-later
"""Behind proxies: nobody can smuggle a request past them, or leave an answer for the next client.

A proxy and a daemon that see different messages in the same bytes are what smuggling lives on. The proxies
here let nobody at what is under /victim/. Each message of the tables is sent through them, a DELETE of a
victim of its own behind it, or in its body; afterwards the victim has its value, and the connections that
the proxy keeps bring everybody the answer to his own question."""

import select
import socket

import pytest

from cluster import Cluster
from messages import LAST, REFUSED, TAKEN, encode
from proxies import KINDS, Proxy, program

ATTACK = 'DELETE /victim/{n} HTTP/1.1\nHost: dkv\n\n'
SIZE = len(encode(ATTACK.format(n=1000), {}))

# Attacks that need what is behind the headers to be of a certain size, besides those of the tables.
IN_BODIES = [(name, None, f'PUT @new HTTP/1.1\nHost: dkv\n{lines}\n\n{body}') for name, lines, body in (
    ('CL.TE', f'Content-Length: {SIZE + 5}\nTransfer-Encoding: chunked', '0\n\n'),
    ('TE.CL', 'Transfer-Encoding: chunked\nContent-Length: 4', f'{SIZE:x}\n'),
    ('CL.0', f'Content-Length: {SIZE}', ''),
    ('a length in a fold', f'Content-Length:\n {SIZE}', ''),
    ('a length behind a fold', f'X: y\n Content-Length: {SIZE}', ''),
    ('a length behind a blank', f'Content-Length : {SIZE}', ''),
    ('a length with a plus', f'Content-Length: +{SIZE}', ''),
    ('a length with 0x', f'Content-Length: 0x{SIZE:x}', ''),
    ('a list of lengths', f'Content-Length: {SIZE}, 0', ''),
    ('two lengths', f'Content-Length: {SIZE}\nContent-Length: 0', ''),
    ('two lengths, the other way', f'Content-Length: 0\nContent-Length: {SIZE}', ''),
    ('a length and an empty coding', f'Transfer-Encoding:\nContent-Length: {SIZE}', ''),
    ('a coding behind a vertical tab', f'Transfer-Encoding: \vchunked\nContent-Length: {SIZE + 5}', '0\n\n'),
    ('a coding behind a CR', f'X: y\rTransfer-Encoding: chunked\nContent-Length: {SIZE + 5}', '0\n\n'),
    ('a coding behind a LF', f'X: y␊Transfer-Encoding: chunked\nContent-Length: {SIZE + 5}', '0\n\n'),
    ('two codings', f'Transfer-Encoding: chunked\nTransfer-Encoding: cow\nContent-Length: {SIZE + 5}', '0\n\n'),
    ('chunks that end in a LF', 'Transfer-Encoding: chunked', f'2\nxx␊{SIZE:x}\n'),
    ('an extension with a LF', 'Transfer-Encoding: chunked', f'2;x␊xx\n{SIZE:x}\n'),
    ('a size over 64 bits', 'Transfer-Encoding: chunked', f'1000000000000000{SIZE:x}\n'),
    ('a size with 0x', 'Transfer-Encoding: chunked', f'0x{SIZE:x}\n'),
    ('an expectation', f'Expect: 100-continue\nContent-Length: {SIZE}', ''),
    ('an expectation that nobody knows', f'Expect: x\nContent-Length: {SIZE}', ''),
    ('an upgrade', f'Connection: Upgrade\nUpgrade: h2c\nContent-Length: {SIZE}', ''),
    ('a length that Connection names', f'Connection: Content-Length\nContent-Length: {SIZE}', ''),
    ('a coding that Connection names', 'Connection: Transfer-Encoding\nTransfer-Encoding: chunked', f'{SIZE:x}\n'),
)]

# Those that name @victim themselves are refused by the proxies.
ALL = [case for case in [*IN_BODIES, *REFUSED, *TAKEN, *LAST] if '@victim' not in case[2]]
PROBES = 2


@pytest.fixture(scope='module')
def served(tmp_path_factory):
    one = Cluster(tmp_path_factory.mktemp('cluster'), volumes=1)
    for n in range(len(ALL)):
        one.put(f'victim/{n:04}', b'alive').expect(201)
    for n in range(PROBES):
        one.put(f'probe/{n}', b'probe %d' % n).expect(201)
    one.put('old', b'old').expect(201)
    yield one
    one.close()


@pytest.fixture(scope='module', params=KINDS)
def proxy(served, request, tmp_path_factory):
    if not program(request.param):
        pytest.skip(f'{request.param} is not installed')
    with Proxy(request.param, served.master.port, tmp_path_factory.mktemp('proxy')) as one:
        yield one


def exchange(port, message, seconds=0.2):
    """Sends it and listens until the end, or until nothing has come for a while."""
    with socket.create_connection(('127.0.0.1', port)) as connection:
        try:
            connection.sendall(message)
            while select.select([connection], [], [], seconds)[0] and connection.recv(65536):
                pass
        except ConnectionError:
            pass


def probe(proxy, n):
    """What another client gets meanwhile, over the connections that the proxy has kept."""
    message = f'GET /probe/{n}?proxy=1 HTTP/1.1\r\nHost: dkv\r\nConnection: close\r\n\r\n'.encode()
    with socket.create_connection(('127.0.0.1', proxy.port), timeout=30) as connection:
        connection.sendall(message)
        answer = b''
        while piece := connection.recv(65536):
            answer += piece
    return answer


def test_nobody_gets_past_a_proxy(served, proxy):
    mixed_up = []
    for n, (name, _, text) in enumerate(ALL):
        targets = {'old': '/old', 'new': f'/new/{n}', 'post': f'/new/{n}', 'host': f'127.0.0.1:{proxy.port}'}
        exchange(proxy.port, encode(text + ATTACK.format(n=f'{n:04}'), targets))
        for i in range(PROBES):
            answer = probe(proxy, i)
            if not answer.endswith(b'\r\n\r\nprobe %d' % i):
                mixed_up.append((name, answer[:200]))
    gone = [name for n, (name, _, _) in enumerate(ALL) if served.get(f'victim/{n:04}').status != 200]
    for n in range(len(ALL)):
        served.put(f'victim/{n:04}', b'alive').expect(201, 204)  # for the next proxy
    assert (gone, mixed_up) == ([], [])
