# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls between daemons, made by a test: their signatures and bodies; see core/call/ticket and core/call/wire."""

import ctypes
import errno
import hashlib
import hmac
import itertools
import struct
import time

XXHASH = ctypes.CDLL('libxxhash.so.0')
XXHASH.XXH3_64bits.restype = ctypes.c_uint64


def varint(n):
    data = b''
    while n > 0x7f:
        data += bytes([n & 0x7f | 0x80])
        n >>= 7
    return data + bytes([n])


def string(data):
    data = data if isinstance(data, bytes) else data.encode()
    return varint(len(data)) + data


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


def call(cluster, who, path, body, headers=None, secret=None, parties=None):
    """A signed POST."""
    return cluster.request('POST', path, body, {
        **signature(cluster, who, path, body, secret, parties), **(headers or {})}, who=who)


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
