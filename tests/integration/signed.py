# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls between daemons, made by a test: their signatures and bodies; see core/ticket and core/wire."""

import errno
import hashlib
import hmac
import struct
import time


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


def signature(cluster, path, body, secret=None):
    """The header of a signed POST."""
    secret = secret or (cluster.directory / 'secret').read_bytes()
    expiry = int(time.time()) + 60
    message = b'S' + struct.pack('<Q', expiry) + string('POST') + string(path)
    return {'Dkv-Signature': f'{expiry:x}.{tag(secret, message + body)}'}


def call(cluster, who, path, body, headers=None, secret=None):
    """A signed POST."""
    return cluster.request('POST', path, body, {
        **signature(cluster, path, body, secret), **(headers or {})}, who=who)


def read_url(cluster, who, key, version):
    """The URL of a copy, with the ticket to read it."""
    secret = (cluster.directory / 'secret').read_bytes()
    expiry = int(time.time()) + 60
    message = b'T\0' + struct.pack('<QQ', version, expiry) + string(key)
    return (f'http://127.0.0.1:{cluster[who].port}/{key}'
            f'?v={version:x}&e={expiry:x}&t={tag(secret, message)}')


def versions(numbers):
    return varint(len(numbers)) + b''.join(struct.pack('<Q', n) for n in numbers)


def pull_body(items, deadline, confirmed=(), rate=0, replace=False):
    """ITEMS are (version, size, url, key)."""
    urls = sorted({item[2] for item in items}) or ['http://127.0.0.1:1']
    body = versions(confirmed) + struct.pack('<Q', int(deadline * 1e6))
    body += varint(rate)
    body += varint(len(urls)) + b''.join(string(url + '\0') for url in urls)
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
