#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Records what many clients do to few keys, and what they are told, while things happen to the
cluster; then looks whether that is linearizable. Usage: history.py KIND SEED [SECONDS]

Each value is written once only and says who it is, so that a read tells which write it has seen.
Keys are given up after a while, and others taken: a history is that of one key."""

import itertools
import pathlib
import random
import shutil
import sys
import tempfile
import threading
import time
import traceback

import linear
from linear import ABSENT, NEVER
from model import GONE_WRONG, INLINE_MAX, Violation
from schedule import Schedule
from world import World

N_CLIENTS, N_KEYS = 8, 5
LENGTH = 160  # of the history of a key, about
PIECES = 5    # of a slow value


class Register:
    """One key, and what was done to it."""

    def __init__(self, name):
        self.name = name
        self.lock = threading.Lock()
        self.operations = []
        self.values = {}  # by ETag
        self.n_known = 0

    def value_of(self, number, size):
        text = f'{self.name} {number} '.encode()
        return (text * (size // len(text) + 1))[:max(size, len(text))]

    def number_of(self, body):
        """Which value it is, or None for what nobody wrote."""
        number = body.split(b' ', 2)[1:2]
        number = int(number[0]) if number and number[0].isdigit() else None
        return number if number and body == self.value_of(number, len(body)) else None

    def saw(self, etag, number):
        with self.lock:
            if self.values.setdefault(etag, number) != number:
                raise Violation(f'{etag} is value {number} and {self.values[etag]} of {self.name}')

    def add(self, operation):
        with self.lock:
            self.operations.append(operation)
            self.n_known += operation.end < NEVER

    def a_tag(self, rng):
        """That of a value seen lately, and the value."""
        with self.lock:
            seen = list(self.values.items())[-4:]
        return rng.choice(seen) if seen else (None, None)

    def history(self):
        """All that is known. Where only the ETag of a value was seen, which nobody has read or been
        told of as its writer, nothing is."""
        operations = []
        for one in self.operations:
            if isinstance(one.value, str):
                one.value = self.values.get(one.value)
            if one.value is not None or one.needs:
                operations.append(one)
        return operations


class HistoryClient:
    """One after the other, anything to any key."""

    def __init__(self, world, seed):
        self.world, self.cluster = world, world.cluster
        self.random = random.Random(seed)
        self.key = self.begin = None
        self.known = self.unknown = 0

    # What was learnt

    def learn(self, operation):
        self.known += 1
        self.key.add(operation)

    def looked(self, value, revision=0, text=''):
        self.learn(linear.look(value, self.begin, time.monotonic(), revision=int(revision or 0),
                               text=text))

    def wrote(self, number, answer, needs, text):
        if number != ABSENT:
            self.key.saw(answer['ETag'], number)
        self.learn(linear.write(number, self.begin, time.monotonic(), needs,
                                revision=int(answer['Dkv-Version'] or 0), text=text))

    def settle(self, number, answer, text, needs, refusals):
        """NEEDS is what the write needs besides what its status says; REFUSALS says what is true of
        the value if it was answered with these."""
        if answer is None or answer.status in (408, 500, 502, 503, 507):
            self.unknown += 1
            self.key.add(linear.write(number, self.begin, NEVER, needs, text=text))
        elif answer.status == 201:
            self.wrote(number, answer, linear.is_absent, text)
        elif answer.status == 204:
            self.wrote(number, answer, needs or linear.is_present, text)
        elif answer.status in refusals:
            self.learn(linear.refused(refusals[answer.status], self.begin, time.monotonic(),
                                      text=f'{text}: {answer.status}'))
        elif answer.status != 403:  # the ticket was too old, and nothing has happened
            raise Violation(f'{answer} to {text} of {self.key.name}')

    # Requests

    def request(self, method, body=None, headers=None, query='', slow=False):
        """Follows a redirect. None if there was no answer."""
        target = f'/{self.key.name}{query}'

        def pieces():
            size = len(body) // PIECES + 1
            for i in range(0, len(body), size):
                time.sleep(self.random.random() * 0.1)
                yield body[i:i + size]

        try:
            if slow and self.random.random() < 0.5:
                lines = [f'{name}: {value}' for name, value in (headers or {}).items()]
                with self.cluster.raw().head(method, target, f'Content-Length: {len(body)}',
                                             'Expect: 100-continue', *lines) as raw:
                    answer = raw.answer()
                if answer.status == 100:
                    return None
            else:
                answer = self.cluster.request(method, target, pieces() if slow else body, headers)
            if answer.status == 307:
                if self.random.random() < 0.3:
                    time.sleep(self.random.random() * 0.5)
                answer = self.cluster.request(method, answer['Location'],
                                              pieces() if slow else body, headers)
            return answer
        except GONE_WRONG:
            return None

    def write(self):
        key, tag = self.key, self.key.a_tag(self.random)
        number = next(self.world.numbers)
        size = self.random.choices([20, 4000, 60_000, 300_000], [50, 20, 20, 10])[0]
        body, how = key.value_of(number, size), self.random.random()
        is_slow = size > INLINE_MAX and self.random.random() < 0.4
        method, headers, needs, refusals = 'PUT', {}, None, {}
        if how < 0.15:
            method, needs, refusals = 'POST', linear.is_absent, {409: linear.is_present}
        elif how < 0.2:
            headers = {'If-None-Match': '*'}
            needs, refusals = linear.is_absent, {412: linear.is_present}
        elif how < 0.5 and tag[0]:
            headers = {'If-Match': tag[0]}
            needs, refusals = linear.has(tag[1]), {412: linear.has_not(tag[1])}
        answer = self.request(method, body, headers, slow=is_slow)
        self.settle(number, answer, f'{"slow " * is_slow}{method} {headers}', needs, refusals)

    def delete(self):
        tag = self.key.a_tag(self.random)
        headers, needs, refusals = {}, None, {404: linear.is_absent}
        if tag[0] and self.random.random() < 0.3:
            headers, needs = {'If-Match': tag[0]}, linear.has(tag[1])
            refusals[412] = linear.has_not(tag[1])
        self.settle(ABSENT, self.request('DELETE', headers=headers), f'DELETE {headers}', needs,
                    refusals)

    def read(self):
        """Returns whether there was an answer."""
        query = self.random.choices(['', '?proxy=1', '?verify=1'], [6, 2, 1])[0]
        answer = self.request('GET', query=query)
        if answer is None or answer.status not in (200, 404):
            return False
        if answer.status == 404:
            self.looked(ABSENT, text='GET')
            return True
        number = self.key.number_of(answer.body)
        if number is None:
            raise Violation(f'what nobody wrote to {self.key.name}: {answer}')
        self.key.saw(answer['ETag'], number)
        self.looked(number, answer['Dkv-Version'], f'GET {query}')
        return True

    def head(self):
        answer = self.request('HEAD')
        if answer and answer.status in (200, 404):
            self.looked(answer['ETag'] if answer.status == 200 else ABSENT,
                        answer['Dkv-Version'], 'HEAD')

    def list(self):
        try:
            keys = self.cluster.list(prefix=self.key.name)['keys']
        except (AssertionError, *GONE_WRONG):
            return
        if keys:
            self.looked(keys[0]['etag'], keys[0].get('version'), 'list')
        else:
            self.looked(ABSENT, text='list')

    def act(self):
        self.key = self.world.a_register(self.random)
        self.begin = time.monotonic()
        (what,) = self.random.choices([self.write, self.delete, self.read, self.head, self.list],
                                      [9, 2, 8, 2, 1])
        what()

    def run(self):
        while not self.world.is_over:
            before = self.known
            self.act()
            time.sleep(self.random.random() * (0.01 if self.known > before else 0.3))

    def read_at_last(self, register):
        """When all is well."""
        self.key = register
        end = time.monotonic() + 30
        while True:
            self.begin = time.monotonic()
            if self.read():
                return
            if self.begin > end:
                raise Violation(f'{register.name} cannot be read')
            time.sleep(0.1)


class HistoryWorld(World):
    def make_clients(self):
        self.numbers = itertools.count(1)
        self.registers, self.current = [], []
        self.lock = threading.Lock()
        for _ in range(N_KEYS):
            self.current.append(self.new_register())
        return [HistoryClient(self, f'{self.seed}/{i}') for i in range(N_CLIENTS)], []

    def new_register(self):
        register = Register(f'register-{len(self.registers):04}')
        self.registers.append(register)
        return register

    def a_register(self, rng):
        i = rng.randrange(N_KEYS)
        with self.lock:
            register = self.current[i]
            if register.n_known > LENGTH:
                register = self.current[i] = self.new_register()
        return register

    def begin_all(self):
        self.begin_volumes()
        self.say(f'{self.copies} copies')
        self.threads = self.for_clients(HistoryClient.run)


class Accidents(Schedule):
    """KIND says of what kind they are."""

    KINDS = {
        'calm': {},
        'kills': {Schedule.kill: 8, Schedule.hang: 4, Schedule.cut: 5, Schedule.restart: 1},
        'moves': {Schedule.add: 3, Schedule.delete: 3, Schedule.rebalance: 2, Schedule.copies: 3,
                  Schedule.weight: 1, Schedule.to_and_fro: 4, Schedule.pause: 1,
                  Schedule.cancel: 2, Schedule.kill: 3, Schedule.hang: 1, Schedule.cut: 2},
    }

    def run_for(self, kind, seconds):
        rng, weights = random.Random(f'{self.seed}'), self.KINDS[kind]
        end = time.monotonic() + seconds
        for i in itertools.count():
            left = end - time.monotonic()
            if left <= 0:
                return
            if weights:
                (step,) = rng.choices(list(weights), list(weights.values()))
                step(self, random.Random(f'{self.seed}/{i}'))
            self.world.wait(min(left, rng.choice([0.2, rng.random(), rng.random() * 2])))

    def end(self):
        world = self.world
        world.run_due()
        self.ready_master()
        world.release_jobs()
        world.is_over = True
        world.join_clients()
        world.wait_up()
        for i, register in enumerate(world.registers):
            world.clients[i % N_CLIENTS].read_at_last(register)


def complaints(registers):
    """Yields what is wrong with the histories."""
    for register in registers:
        history = register.history()
        wrong = linear.explain(history) or linear.explain_revisions(history)
        if wrong:
            yield f'{register.name}: {wrong}\n\n' + '\n'.join(
                map(str, sorted(history, key=lambda one: one.begin)))


def check(world):
    """Returns how much there was to look at."""
    begin = time.monotonic()
    wrong = list(complaints(world.registers))
    n = sum(len(register.history()) for register in world.registers)
    unknown = sum(client.unknown for client in world.clients)
    if wrong:
        raise Violation(f'{len(wrong)} of {len(world.registers)} histories\n' + '\n'.join(wrong))
    return (f'{len(world.registers)} histories, {n} operations, of which {unknown} with an unknown '
            f'outcome, checked in {time.monotonic() - begin:.1f} s')


def run(kind, seed, seconds, directory):
    world = HistoryWorld(directory, seed, False)
    try:
        world.begin_all()
        accidents = Accidents(world, seed)
        accidents.run_for(kind, seconds)
        accidents.end()
        result = check(world)
        world.cluster.close()
    except Exception as error:  # pylint: disable=broad-except
        traceback.print_exc(file=sys.stdout)
        for daemon in world.cluster.daemons:
            print(f'--- log of {daemon.name}\n{daemon.log_tail(60)}')
        print(f'history {kind} {seed}: VIOLATION: {str(error).splitlines()[0]}')
        return 1
    finally:
        world.is_over = True
        world.cluster.abandon()
    print(f'history {kind} {seed}: {result}; {time.monotonic() - world.begin:.1f} s')
    return 0


def main():
    if len(sys.argv) not in (3, 4) or sys.argv[1] not in Accidents.KINDS:
        print(f'Usage: {sys.argv[0]} {"|".join(Accidents.KINDS)} SEED [SECONDS]', file=sys.stderr)
        return 2
    directory = pathlib.Path(tempfile.mkdtemp(prefix='dkv-history-'))
    try:
        return run(sys.argv[1], sys.argv[2], float((sys.argv[3:] or ['30'])[0]), directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == '__main__':
    sys.exit(main())
