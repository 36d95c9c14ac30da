# SPDX-License-Identifier: LGPL-2.1-or-later
"""What must be there: for each key the values that a read may find, given what its writers were
told, and clients that write, read, and compare.

A key is written by one client only, one write after the other. A write that was acknowledged is in
force. One that was not may be in force, or come into force later: for as long as a call of a volume
to the master may be under way, even if another write was acknowledged meanwhile."""

import contextlib
import hashlib
import http.client
import random
import threading
import time

ABSENT = 0  # in the place of a value: there is none
INLINE_MAX = 32768
GONE_WRONG = (OSError, http.client.HTTPException)  # a connection, on which nothing was answered

# How long a read may fail though all that it needs is there; a value may be on its way just then.
PATIENCE = 20
UNDER_WAY = 15  # so long after its client gave up a write may be committed
RESIGNED = 1  # a client waits so long for what need not be there, then does something else


class Violation(Exception):
    """What must not be."""


def value_of(name, number, size):
    return hashlib.shake_128(f'{name} {number}'.encode()).digest(size)


class Key:
    """Values are called by the number of the write that they come from."""

    def __init__(self, name):
        self.name = name
        self.lock = threading.Lock()
        self.number = 0      # of the last write, deletes included
        self.last_delete = 0
        self.sizes = {}
        self.settled = ABSENT
        self.etag = None     # of what is settled, if that is known
        self.puts = set()    # that were not acknowledged
        self.given_up = {}   # of these: when that was
        self.deletes = set()
        self.is_lost = False  # its last copy was given up

    def begin(self, size=None):
        """A write of SIZE bytes, or a delete. Returns its number."""
        with self.lock:
            self.number += 1
            if size is None:
                self.deletes.add(self.number)
                self.last_delete = self.number
            else:
                self.puts.add(self.number)
                self.sizes[self.number] = size
            return self.number

    def acknowledged(self, number, etag=None):
        with self.lock:
            self.settled = ABSENT if number in self.deletes else number
            self.etag = etag
            self.puts.discard(number)
            self.deletes.clear()
            self.is_lost = False

    def doubtful(self, number):
        with self.lock:
            self.given_up[number] = time.monotonic()

    def refused(self, number):
        """It certainly did not happen."""
        with self.lock:
            self.puts.discard(number)
            self.deletes.discard(number)

    def _allowed(self):
        late = time.monotonic() - UNDER_WAY
        values = {self.settled} | {n for n in self.puts
                                   if n > self.settled or self.given_up.get(n, 0) > late}
        if self.deletes or self.settled == ABSENT:
            values |= {ABSENT} | self.puts
        return values

    def allowed(self):
        with self.lock:
            return self._allowed()

    def snapshot(self):
        with self.lock:
            return self._allowed(), self.number

    def fits(self, value, before):
        """Whether a read that began at the snapshot BEFORE and ends now may have found VALUE."""
        values, number = before
        with self.lock:
            values = values | self._allowed() | {n for n in self.sizes if n > number}
            if self.last_delete > number:
                values |= {ABSENT} | self.puts
        return value in values

    def observed(self, value):
        """By who writes it: what was found is in force, and all that began before it is settled."""
        with self.lock:
            if value != self.settled:
                self.settled, self.etag = value, None
            self.puts.discard(value)
            self.deletes = {n for n in self.deletes if n > value > ABSENT}

    def certain(self):
        """The one value that there can be; None if there are several."""
        values = self.allowed()
        return values.pop() if len(values) == 1 else None

    def candidates(self, body):
        """The values that have these bytes; more than one if they are few."""
        with self.lock:
            sizes = sorted(self.sizes.items())
        return [n for n, size in sizes
                if size == len(body) and value_of(self.name, n, size) == body]

    def __str__(self):
        return (f'{self.name}: {sorted(self._allowed())} allowed, write {self.number} was the last,'
                f' {self.settled} settled, open: {sorted(self.puts)}, deletes {sorted(self.deletes)}')


class Client:
    """Writes its own keys, reads those of all. WORLD says what is out of order."""

    def __init__(self, world, name, seed, n_keys):
        self.world, self.cluster = world, world.cluster
        self.random = random.Random(seed)
        self.keys = [Key(f'{name}/{n:03}') for n in range(n_keys)]
        self.redirected = []  # writes, lately
        self.acknowledged = self.failed = self.read = self.retried = 0

    def size(self):
        below = self.random.choices([3, 4000, 140_000, 1 << 20, 3 << 20], [5, 74, 12, 6, 3])[0]
        return INLINE_MAX if self.random.random() < 0.02 else self.random.randrange(below)

    def dawdle(self, how_often):
        """A redirect is good for a second, whatever happens meanwhile."""
        if self.random.random() < how_often:
            time.sleep(self.random.random() * 0.9)

    # Writes

    def send(self, key, number, method, headers):
        """Stores the value in one of the ways that there are. Returns the answer."""
        how = self.random.random()
        path, value = f'/{key.name}', value_of(key.name, number, key.sizes[number])
        body = value
        if how < 0.1:
            body = iter([value[i:i + 30000] for i in range(0, len(value), 30000)])
        if 0.1 < how < 0.3 and not headers and len(value) > INLINE_MAX:
            with self.cluster.raw().head(method, path, f'Content-Length: {len(value)}',
                                         'Expect: 100-continue') as raw:
                answer = raw.answer()
        else:
            answer = self.cluster.request(method, path, body, headers)
        if answer.status == 307:  # also from a master that is about to stop
            self.redirected = [*self.redirected[-9:], (key, number, method, answer['Location'])]
            self.dawdle(0.5)
            answer = self.cluster.request(method, answer['Location'], value, headers)
        return answer

    def settle(self, key, number, answer, good, bad=()):
        """Takes an answer to a write down. BAD says that it did not happen."""
        if answer.status in good:
            self.acknowledged += 1
            key.acknowledged(number, answer['ETag'])
        elif answer.status in bad:
            key.refused(number)
        elif answer.status in (403, 408, 503) or (answer.status == 507 and self.world.is_full()):
            self.failed += 1
            key.doubtful(number)
            answer.expect(answer.status)
        else:
            raise Violation(f'{answer} to a write; {key}')

    def put(self, key, size=None, method='PUT', headers=None, good=(201, 204), bad=()):
        size = self.size() if size is None else size
        number = key.begin(size)
        try:
            answer = self.send(key, number, method, headers or {})
        except GONE_WRONG:
            self.failed += 1
            key.doubtful(number)
            return
        self.settle(key, number, answer, good, bad)

    def give_up(self, key):
        """Goes away in the middle of a value, which must leave nothing."""
        size = self.random.randrange(2, 200000)
        number = key.begin(size)
        value = value_of(key.name, number, size)
        with contextlib.suppress(*GONE_WRONG), self.cluster.raw() as raw:
            raw.head('PUT', f'/{key.name}', f'Content-Length: {size}')
            raw.send(value[:self.random.randrange(size)])
            if self.random.random() < 0.5:
                raw.reset()
        key.refused(number)

    def repeat(self):
        """Follows a redirect once more: what was in force stays so, or is refused if it is not any
        more; what never was may come into force."""
        if not self.redirected:
            return
        key, number, method, url = self.random.choice(self.redirected)
        with contextlib.suppress(*GONE_WRONG):
            self.cluster.request(
                method, url, value_of(key.name, number, key.sizes[number])).expect(
                    201, 204, 403, 408, 409, 503, 507)
        key.doubtful(number)

    def post(self, key):
        before = key.allowed()
        self.put(key, method='POST', good=(201,) if ABSENT in before else (),
                 bad=(409,) if before != {ABSENT} else ())

    def replace_if(self, key):
        """With a condition that holds if nobody else has written, or one that does not."""
        if key.certain() is None or not key.etag:
            return
        if self.random.random() < 0.3:
            self.put(key, headers={'If-Match': '"dkv-0"'}, good=(), bad=(412,))
        else:
            self.put(key, headers={'If-Match': key.etag}, good=(204,))

    def delete(self, key):
        before = key.allowed()
        number = key.begin()
        try:
            answer = self.cluster.request('DELETE', f'/{key.name}')
        except GONE_WRONG:
            self.failed += 1
            return
        good = (204,) if before != {ABSENT} else ()
        self.settle(key, number, answer, (*good, 404) if ABSENT in before else good)

    # Reads

    def get(self, key):
        """Returns the answer, None if another try may help."""
        query = self.random.choices(['', '?proxy=1', '?verify=1'], [8, 1, 1])[0]
        try:
            answer = self.cluster.request('GET', f'/{key.name}{query}')
            if answer.status == 307:
                self.dawdle(0.1)
                answer = self.cluster.request('GET', answer['Location'])
        except GONE_WRONG:
            return None
        if answer.status in (403, 408, 503) and not (answer.status == 503 and key.is_lost):
            return None
        return answer

    def look(self, key, is_ours, must=False):
        """Reads a key until that succeeds, and compares."""
        begin = time.monotonic()
        while True:
            before = key.snapshot()
            answer = self.get(key)
            if answer:
                break
            self.retried += 1
            now, calm = time.monotonic(), self.world.calm_since(key.name)
            if calm is not None and now > max(begin, calm) + PATIENCE:
                raise Violation(f'cannot be read for {PATIENCE} s; {key}')
            if calm is None and now > begin + RESIGNED and not must:
                return
            time.sleep(0.05)
        self.read += 1
        self.compare(key, answer, before, is_ours)

    @staticmethod
    def compare(key, answer, before, is_ours):
        if answer.status == 503:  # it is lost
            return
        if answer.status == 404:
            found = [ABSENT]
        elif answer.status == 200:
            found = key.candidates(answer.body)
        else:
            raise Violation(f'{answer} to a read; {key}')
        fitting = [value for value in found if key.fits(value, before)]
        if not fitting:
            raise Violation(f'found {found or "what nobody wrote"} ({answer.status}, '
                            f'{len(answer.body)} bytes, version {answer["Dkv-Version"]}); {key}')
        if is_ours:
            key.observed(fitting[0])

    # All of it

    def act(self):
        key, kind = self.random.choice(self.keys), self.random.random()
        if kind < 0.28:
            self.put(key)
        elif kind < 0.29:
            self.give_up(key)
        elif kind < 0.30:
            self.repeat()
        elif kind < 0.36:
            self.post(key)
        elif kind < 0.42:
            self.replace_if(key)
        elif kind < 0.50:
            self.delete(key)
        elif kind < 0.75:
            self.look(key, True)
        else:
            self.look(self.random.choice(self.world.keys), False)

    def fill(self):
        for key in self.keys:
            self.put(key)

    def run(self):
        """Until the world ends; rests while the world is looked at."""
        while not self.world.is_over:
            with self.world.turn():
                self.act()
            time.sleep(self.random.random() * 0.02)
