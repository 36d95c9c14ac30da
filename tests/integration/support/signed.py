# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls between daemons, made by a test: over a channel, or signed; their bodies, see core/call/wire; and tickets."""

import ctypes
import errno
import hashlib
import hmac
import itertools
import struct
import time

import channel
from channel import string, varint

XXHASH = ctypes.CDLL('libxxhash.so.0')
XXHASH.XXH3_64bits.restype = ctypes.c_uint64


def tag(secret, message):
    return hmac.digest(secret, message, hashlib.sha256)[:16].hex()


class Parties:
    """Who calls whom. Stores are (number, uuid, run), the master is MASTER. Until something of it is
    changed, it is what the receiver WHO would take."""

    MASTER = (0, '0' * 32, '0')
    NEIGHBOR = (999, '1' * 32, '1')
    used = itertools.count(2000)  # numbers of calls; the daemons' own ones are lower

    def __init__(self, cluster, who):
        volume = cluster.health(1 if who == 'master' else who)
        store = (volume['number'], volume['uuid'], volume['run'])
        self.cluster, self.term, self.leader = volume['cluster'], volume['term'], volume['leader']
        self.sender, self.receiver = (store, self.MASTER) if who == 'master' else (self.MASTER, store)
        self.sequence, self.revision = next(Parties.used), 0

    def text(self):
        stores = ['{:x}-{}-{}'.format(*store) for store in (self.sender, self.receiver)]
        return '.'.join([self.cluster, f'{self.term:x}', self.leader, *stores,
                         f'{self.sequence:x}', f'{self.revision:x}'])


# As in core/call/calls.h; those that are signed requests have the path "/-/NAME".
KINDS = ['hello', 'store', 'delete', 'pull', 'check', 'fetch', 'report', 'commit', 'settle', 'damaged']
SIGNED = {'hello', 'fetch'}

# What an error of a call would be to a client of HTTP, as in lib/http/status.c.
STATUSES = {0: 200, **{getattr(errno, name): status for name, status in {
    'EINVAL': 400, 'EACCES': 403, 'ENOENT': 404, 'EPROTO': 405, 'EEXIST': 409, 'EBUSY': 409, 'EALREADY': 409,
    'ENOTUNIQ': 409, 'EKEYREVOKED': 410, 'EREMOTE': 421, 'EINPROGRESS': 425, 'EBADMSG': 502, 'EHOSTDOWN': 503,
    'EOWNERDEAD': 503, 'ESTALE': 503, 'ESHUTDOWN': 503, 'EAGAIN': 503, 'ECOMM': 503, 'EREMOTEIO': 503, 'EOPNOTSUPP': 501,
    'ENOSPC': 507}.items()}}


class Answer:
    def __init__(self, status, body):
        self.status, self.body = status, body

    def __repr__(self):
        return f'{self.status} {self.body[:300]!r}'

    def expect(self, *statuses):
        assert self.status in statuses, self
        return self


def open_channel(cluster, who, parties, secret=None):
    """A channel as those of the daemons; its status is 101 if it is open."""
    store, port = [(number, bytes.fromhex(uuid), int(run, 16))
                   for number, uuid, run in (parties.sender, parties.receiver)], cluster[who].port
    return channel.Channel(port, secret or (cluster.directory / 'secret').read_bytes(), timeout=60,
                           cluster=bytes.fromhex(parties.cluster), sender=store[0], receiver=store[1])


def mark(parties):
    return channel.stamp(bytes.fromhex(parties.cluster), parties.term, int(parties.leader, 16), parties.sequence,
                         parties.revision)


def call_over_channel(cluster, who, kind, body, secret=None, parties=None):
    parties = parties or Parties(cluster, who)
    with open_channel(cluster, who, parties, secret) as line:
        if line.status != 101:
            return Answer(line.status, line.received)
        code, _, answer = line.open().call(KINDS.index(kind), body, 1, mark(parties))
        return Answer(STATUSES.get(code, 500), answer)


def signature(cluster, who, path, body, secret=None, parties=None, method='POST'):
    """The header of a signed call."""
    secret = secret or (cluster.directory / 'secret').read_bytes()
    if not parties:
        parties = Parties(cluster, who)
        if path == '/-/fetch':
            parties.sender = Parties.NEIGHBOR
    digest = hashlib.sha256(body).hexdigest()
    text = f'5.{int(time.time()) + 60:x}.{parties.text()}.{digest}.'
    message = b'S' + string(method) + string(path) + string(text)
    return {'Dkv-Signature': text + tag(secret, message)}


def call(cluster, who, kind, body, secret=None, parties=None):
    """A call of a daemon, in the way in which it is made."""
    if kind not in SIGNED:
        return call_over_channel(cluster, who, kind, body, secret, parties)
    path = f'/-/{kind}'
    return cluster.request('POST', path, body, signature(cluster, who, path, body, secret, parties), who=who)


def ticket_store(cluster, who):
    """What tickets say of a volume's store."""
    volume = cluster.health(who)
    name = (bytes.fromhex(volume['cluster']) + struct.pack('<I', volume['number'])
            + bytes.fromhex(volume['uuid']))
    return XXHASH.XXH3_64bits(name, ctypes.c_size_t(len(name)))


def read_url(cluster, who, key, version):
    """The URL of a copy, with the ticket to read it."""
    secret = (cluster.directory / 'secret').read_bytes()
    expiry = int(time.time()) + 60
    store = ticket_store(cluster, who)
    message = b'T\0' + varint(version) + varint(expiry) + struct.pack('<Q', store)
    message += b'\0' + string('') + string(key)
    return (f'http://127.0.0.1:{cluster[who].port}/{key}'
            f'?v={version:x}&e={expiry:x}&w={store:x}&t={tag(secret, message)}')


def versions(numbers):
    return varint(len(numbers)) + b''.join(struct.pack('<Q', n) for n in numbers)


def store_of(cluster, volume):
    """As pull_body() wants it."""
    health = cluster.health(volume)
    return health['number'], bytes.fromhex(health['uuid'])


def pull_body(items, deadline, confirmed=(), rate=0, replace=False, stores=None):
    """ITEMS are (version, size, url, key); STORES says by URL which store is there."""
    urls = sorted({item[2] for item in items}) or ['http://127.0.0.1:1']
    body = versions(confirmed) + struct.pack('<Q', int(deadline * 1e6))
    body += varint(rate) + varint(len(urls))
    for url in urls:
        number, uuid = (stores or {}).get(url, (1, bytes(16)))
        body += string(url + '\0') + struct.pack('<I', number) + uuid
    body += varint(len(items))
    for version, size, url, key in items:
        body += struct.pack('<Q', version) + varint(size) + varint(urls.index(url))
        body += bytes([replace])
        body += string(key + '\0')
    return body


def errors(body):
    """The names of the errors in an answer, '' for none."""
    names, i = [], 0
    while i < len(body):
        n, shift = 0, 0
        while True:
            n |= (body[i] & 0x7f) << shift
            shift += 7
            i += 1
            if not body[i - 1] & 0x80:
                break
        names.append(errno.errorcode[n] if n else '')
    return names
