# SPDX-License-Identifier: LGPL-2.1-or-later
"""A channel between daemons, spoken by a test: handshake, tags and frames as ARCHITECTURE.md has them.

Run as a program, it prints the vectors of tests/unit/channel: what this file, which shares no code with
lib/channel, makes of known input."""

import hashlib
import hmac
import os
import socket
import struct

PATH = '/-/channel'
PROTOCOL = 'dkv-channel/1'
HEADER = 'Dkv-Channel'
OPEN, CALL, ANSWER, CANCEL, PING, PONG, CLOSE = range(1, 8)
NOBODY = (0, bytes(16), 0)  # number, uuid and run: the master

TAG_SIZE = 16


def varint(n):
    data = b''
    while n > 0x7f:
        data += bytes([n & 0x7f | 0x80])
        n >>= 7
    return data + bytes([n])


def string(data):
    data = data if isinstance(data, bytes) else data.encode()
    return varint(len(data)) + data


# -- GMAC with AES-128, as in NIST SP 800-38D --------------------------------------------------------


def _double(a):
    return a << 1 ^ 0x11b if a & 0x80 else a << 1


def _sbox():
    exponents, logarithms, a = [], {}, 1
    for i in range(255):
        exponents.append(a)
        logarithms[a] = i
        a ^= _double(a)  # times 3, which generates all of them
    for value in range(256):
        inverse = exponents[-logarithms[value] % 255] if value else 0
        twice = inverse << 8 | inverse
        turned = inverse
        for i in range(1, 5):
            turned ^= twice >> (8 - i) & 0xff
        yield turned ^ 0x63


SBOX = list(_sbox())


def aes128(key, block):
    words = [list(key[i:i + 4]) for i in range(0, 16, 4)]
    constant = 1
    for i in range(4, 44):
        word = words[i - 1]
        if i % 4 == 0:
            word = [SBOX[b] for b in word[1:] + word[:1]]
            word[0] ^= constant
            constant = _double(constant)
        words.append([a ^ b for a, b in zip(words[i - 4], word)])
    keys = [sum(words[i:i + 4], []) for i in range(0, 44, 4)]
    state = [a ^ b for a, b in zip(block, keys[0])]
    for number, round_key in enumerate(keys[1:], 1):
        state = [SBOX[state[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        if number < 10:
            mixed = []
            for c in range(0, 16, 4):
                column = state[c:c + 4]
                for i in range(4):
                    a, b, c2, d = (column[(i + j) % 4] for j in range(4))
                    mixed.append(_double(a) ^ _double(b) ^ b ^ c2 ^ d)
            state = mixed
        state = [a ^ b for a, b in zip(state, round_key)]
    return bytes(state)


class Gmac:
    def __init__(self, key):
        self.key = key
        power = int.from_bytes(aes128(key, bytes(16)), 'big')
        bits = []
        for _ in range(128):  # the first bit of a block is x^0
            bits.append(power)
            power = power >> 1 ^ (0xe1 << 120 if power & 1 else 0)
        self.tables = []  # for each byte of a block, what each of its values adds to the product
        for byte in range(16):
            table = [0] * 256
            for bit in range(8):
                for value in range(0x80 >> bit, 256, 0x100 >> bit):
                    for rest in range(0x80 >> bit):
                        table[value + rest] ^= bits[8 * byte + bit]
            self.tables.append(table)

    def tag(self, nonce, data):
        blocks = data + bytes(-len(data) % 16) + struct.pack('>QQ', 8 * len(data), 0)
        hashed = 0
        for i in range(0, len(blocks), 16):
            block = (hashed ^ int.from_bytes(blocks[i:i + 16], 'big')).to_bytes(16, 'big')
            hashed = 0
            for table, byte in zip(self.tables, block):
                hashed ^= table[byte]
        mask = aes128(self.key, nonce + struct.pack('>I', 1))
        return bytes(a ^ b for a, b in zip(hashed.to_bytes(16, 'big'), mask))


# -- Handshake --------------------------------------------------------------------------------------


def sign(secret, part, offer, data):
    message = b'C' + part + string(offer) + string(data)
    return hmac.new(secret, message, hashlib.sha256).digest()[:TAG_SIZE]


def identity(number, uuid, run):
    return struct.pack('<I16sQ', number, uuid, run)


def handshake(secret, offer='', *, form=1, purpose=1, calls_max=0, bytes_max=0, cluster=bytes(16), sender=NOBODY,
              receiver=NOBODY, nonce=None):
    """The text of an offer; or of its acceptance, if OFFER is one."""
    data = struct.pack('<BBHII', form, purpose, 0, calls_max, bytes_max) + cluster
    data += identity(*sender) + identity(*receiver) + (nonce or os.urandom(32))
    return (data + sign(secret, b'A' if offer else b'O', offer, data)).hex()


def read_handshake(text):
    """What a handshake says, as handshake() takes it."""
    data = bytes.fromhex(text)
    fields = struct.unpack('<BBHII16sI16sQI16sQ32s', data[:-TAG_SIZE])
    return dict(form=fields[0], purpose=fields[1], calls_max=fields[3], bytes_max=fields[4], cluster=fields[5],
                sender=fields[6:9], receiver=fields[9:12], nonce=fields[12])


def keys(secret, offer, acceptance):
    """The caller's and the receiver's."""
    return [sign(secret, part, offer, acceptance.encode()) for part in (b'C', b'R')]


# -- Frames -----------------------------------------------------------------------------------------


def stamp(cluster=bytes(16), term=0, leader=0, sequence=0, revision=0):
    return cluster + struct.pack('<QQQQ', term, leader, sequence, revision)


def header(kind, length, code=0, number=0):
    return struct.pack('<IBBHQ', length, kind, 0, code, number)


class Direction:
    """Makes or checks the tags of one direction."""

    def __init__(self, key):
        self.mac, self.count = Gmac(key), 0

    def tag(self, data):
        nonce = bytes(4) + struct.pack('>Q', self.count)
        self.count += 1
        return self.mac.tag(nonce, data)


class Session:
    def __init__(self, out_key, in_key):
        self.out, self.incoming = Direction(out_key), Direction(in_key)

    def frame(self, kind, payload=b'', *, code=0, number=0):
        data = header(kind, len(payload), code, number) + payload
        return data + self.out.tag(data)


class Channel:
    """The caller's end. With one of its own methods less, or a byte more, it is a hostile one."""

    def __init__(self, port, secret, *, host='127.0.0.1', protocol=PROTOCOL, offer=None, timeout=10, **what):
        self.offer = offer if offer is not None else handshake(secret, **what)
        self.socket = socket.create_connection((host, port), timeout)
        self.received = b''
        self.socket.sendall((f'GET {PATH} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: Upgrade\r\n'
                             f'Upgrade: {protocol}\r\n{HEADER}: {self.offer}\r\n\r\n').encode())
        self.head = self._read_head()
        self.status = int(self.head.split()[1])
        self.session = None
        if self.status == 101:
            lines = dict(line.split(': ', 1) for line in self.head.split('\r\n')[1:] if line)
            self.acceptance = {name.lower(): value for name, value in lines.items()}[HEADER.lower()]
            self.session = Session(*keys(secret, self.offer, self.acceptance))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _receive(self):
        data = self.socket.recv(65536)
        self.received += data
        return data

    def _read_head(self):
        while b'\r\n\r\n' not in self.received:
            if not self._receive():
                raise EOFError(self.received)
        head, self.received = self.received.split(b'\r\n\r\n', 1)
        return head.decode()

    def _exactly(self, size):
        while len(self.received) < size:
            if not self._receive():
                raise EOFError(self.received)
        data, self.received = self.received[:size], self.received[size:]
        return data

    def send(self, kind, payload=b'', *, code=0, number=0):
        self.socket.sendall(self.session.frame(kind, payload, code=code, number=number))

    def open(self):
        self.send(OPEN)
        return self

    def receive(self):
        """The next frame: type, code, number and payload. EOFError at the end of the connection."""
        head = self._exactly(16)
        length, kind, _, code, number = struct.unpack('<IBBHQ', head)
        payload = self._exactly(length)
        if self._exactly(TAG_SIZE) != self.session.incoming.tag(head + payload):
            raise ValueError('a wrong tag')
        return kind, code, number, payload

    def call(self, kind, body, number, mark=stamp()):
        """Calls and waits for the answer, whose number it must have. Returns errno or 0, stamp and body."""
        self.send(CALL, mark + body, code=kind, number=number)
        while True:
            received, code, answered, payload = self.receive()
            if received == PING:
                self.send(PONG)
            elif received == ANSWER and answered == number:
                return code, payload[:48], payload[48:]
            else:
                raise ValueError((received, code, answered, payload))


def vectors():
    secret = b'a secret of thirty-two bytes ...'
    cluster, uuid = bytes(range(16)), bytes(range(16, 32))
    master, volume = NOBODY, (7, uuid, 0x1122334455667788)
    offer = handshake(secret, purpose=1, cluster=cluster, sender=master, receiver=volume, nonce=bytes(range(32)))
    acceptance = handshake(secret, offer, purpose=1, calls_max=256, bytes_max=1 << 24, cluster=cluster, sender=volume,
                           receiver=master, nonce=bytes(range(32, 64)))
    caller, receiver = keys(secret, offer, acceptance)
    session = Session(caller, receiver)
    print('offer      ', offer)
    print('acceptance ', acceptance)
    print('caller key ', caller.hex())
    print('receiver   ', receiver.hex())
    print('open       ', session.frame(OPEN).hex())
    body = stamp(cluster, 3, 4, 5, 6) + b'a body that is no multiple of sixteen'
    print('call       ', session.frame(CALL, body, code=2, number=1).hex())
    print('answer     ', Session(receiver, caller).frame(ANSWER, stamp(), number=1).hex())
    print('aes (FIPS) ', aes128(bytes(range(16)), bytes.fromhex('00112233445566778899aabbccddeeff')).hex())


if __name__ == '__main__':
    vectors()
