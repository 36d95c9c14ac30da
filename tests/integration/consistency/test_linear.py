# SPDX-License-Identifier: LGPL-2.1-or-later
"""The checker of histories tells those that are linearizable from those that are not."""

import itertools
import random

import pytest

from linear import (ABSENT, NEVER, Search, explain, explain_revisions, has, has_not, is_absent,
                    is_present, look, refused, write)

GOOD = {
    'nothing': [],
    'one after the other': [
        look(ABSENT, 0, 1), write('a', 2, 3, is_absent), look('a', 4, 5),
        write('b', 6, 7, is_present), look('b', 8, 9), write(ABSENT, 10, 11, is_present),
        look(ABSENT, 12, 13)],
    'a read sees a write that is under way': [write('a', 0, 10), look('a', 1, 2), look('a', 3, 4)],
    'a read does not see it yet': [write('a', 0, 10), look(ABSENT, 1, 2), look('a', 3, 4)],
    'two writes at once, in either order': [
        write('a', 0, 10), write('b', 0, 10), look('b', 1, 2), look('a', 3, 4)],
    'an unknown write is seen late': [
        write('a', 0, 1), write('b', 2), write('c', 3, 4), look('c', 5, 6), look('b', 7, 8)],
    'an unknown write is never seen': [write('a', 0, 1), write('b', 2), look('a', 3, 4)],
    'an unknown write explains a status': [write('a', 0), write('b', 1, 2, is_present)],
    'an unknown delete': [write('a', 0, 1), write(ABSENT, 2), look('a', 3, 4), look(ABSENT, 5, 6)],
    'an unknown conditional write whose condition holds later': [
        write('a', 0, 1), write('b', 2, needs=has('c')), write('c', 3, 4), look('b', 5, 6)],
    'a condition is decided in the end': [
        write('a', 0, 1), write('c', 2, 20), write('b', 3, 4, has('a')), look('b', 5, 6),
        look('c', 21, 22)],
    'a condition that fails': [
        write('a', 0, 1), refused(has_not('b'), 2, 3), refused(is_present, 2, 3)],
    'a post that finds the key there for a moment': [
        write('a', 0, 1, is_absent), write(ABSENT, 2, 9, is_present), refused(is_present, 3, 8)],
    'one of two who create': [write('a', 0, 9, is_absent), refused(is_present, 1, 8)],
}

BAD = {
    'a write that is nowhere': [
        write('a', 0, 1), write('c', 2, 20), write('b', 3, 4, has('a')), look('b', 21, 22)],
    'an old value': [write('a', 0, 1), write('b', 2, 3), look('a', 4, 5)],
    'back to the old value': [
        write('a', 0, 1), write('b', 2, 20), look('b', 3, 4), look('a', 5, 6)],
    'an unknown write comes and goes': [
        write('a', 0, 1), write('b', 2), look('b', 3, 4), look('a', 5, 6)],
    'a value before it was written': [look('a', 0, 1), write('a', 2, 3)],
    'a value that nobody wrote': [write('a', 0, 1), look('b', 2, 3)],
    'a deleted value': [write('a', 0, 1), write(ABSENT, 2, 3), look('a', 4, 5)],
    'a key that is lost': [write('a', 0, 1), look(ABSENT, 2, 3)],
    'two who create': [write('a', 0, 9, is_absent), write('b', 0, 9, is_absent)],
    'two who replace the same': [
        write('a', 0, 1), write('b', 2, 9, has('a')), write('c', 2, 9, has('a'))],
    'a condition that fails though it holds': [write('a', 0, 1), refused(has_not('a'), 2, 3)],
    'a post that is refused though there is nothing': [refused(is_present, 0, 1)],
    'a delete of nothing that succeeds': [write(ABSENT, 0, 1, is_present)],
    'created over something': [write('a', 0, 1), write('b', 2, 3, is_absent)],
    'an unknown conditional write whose condition never holds': [
        write('a', 0, 1), write('b', 2, needs=has('x')), look('b', 3, 4)],
    'readers that disagree about the order': [
        write('a', 0, 20), write('b', 0, 20), look('a', 1, 2), look('b', 3, 4), look('a', 5, 6)],
}


@pytest.mark.parametrize('name', GOOD)
def test_is_linearizable(name):
    assert explain(GOOD[name]) is None


@pytest.mark.parametrize('name', BAD)
def test_is_not_linearizable(name):
    assert 'none of these fits' in explain(BAD[name])


def brute_force(operations):
    """By all orders of all subsets that have the known ones."""
    known = [one for one in operations if one.end < NEVER]
    unknown = [one for one in operations if one.end == NEVER]
    for n in range(len(unknown) + 1):
        for some in itertools.combinations(unknown, n):
            for order in itertools.permutations(known + list(some)):
                if any(b.end < a.begin for a, b in itertools.combinations(order, 2)):
                    continue
                current = ABSENT
                for one in order:
                    if not one.fits(current):
                        break
                    current = one.value if one.kind == 'write' else current
                else:
                    return True
    return False


def random_history(rng):
    """Six operations with few values, about half of them linearizable."""
    operations, values = [], ['a', 'b', 'c']
    for n in range(6):
        begin = rng.random() * 10
        end = begin + rng.random() * 5
        value = rng.choice([ABSENT, *values])
        needs = rng.choice([None, None, is_present, is_absent, has(value), has_not(value)])
        kind = rng.random()
        if kind < 0.5:
            operations.append(look(value, begin, end))
        elif kind < 0.6:
            operations.append(refused(needs or is_present, begin, end))
        else:
            stored = rng.choice([ABSENT, values[n % 3]])
            operations.append(write(stored, begin, rng.choice([end, end, NEVER]), needs))
    return operations


def test_the_search_agrees_with_trying_everything():
    rng, verdicts = random.Random(1), []
    for _ in range(1500):
        operations = random_history(rng)
        verdicts.append(brute_force(operations))
        assert (explain(operations) is None) == verdicts[-1], '\n'.join(map(str, operations))
    assert 80 < sum(verdicts) < 1420


def long_history(rng, n, clients):
    """Of a register that works, with unknown outcomes now and then."""
    operations, current, clock, ends = [], ABSENT, 0.0, [0.0] * clients
    for i in range(n):
        clock += rng.random()
        client = rng.choice([n for n in range(clients) if ends[n] <= clock] or [-1])
        if client < 0:
            continue
        begin = max(ends[client], clock - rng.random() * clients)
        end = ends[client] = clock + rng.random() * clients
        if rng.random() < 0.5:
            operations.append(look(current, begin, end))
            continue
        is_unknown, happens = rng.random() < 0.05, rng.random() < 0.5
        needs = is_present if current != ABSENT else is_absent
        operations.append(write(i + 1, begin, NEVER if is_unknown else end,
                                None if is_unknown else needs))
        if happens or not is_unknown:
            current = i + 1
    return operations


def test_long_histories():
    rng = random.Random(2)
    for clients in (2, 4, 8):
        operations = long_history(rng, 300, clients)
        search = Search(operations)
        assert search.run(), search.report()
        # The last thing that is seen was overwritten long ago.
        stale = next(one.value for one in operations if one.kind == 'look' and one.value != ABSENT)
        last = max(one.end for one in operations if one.end < NEVER)
        operations.append(look(stale, last + 1, last + 2))
        assert explain(operations)


def test_versions_grow():
    def versions(*numbers):
        return explain_revisions([write(f'v{n}', i, i + 0.5, revision=n)
                                  for i, n in enumerate(numbers)])

    assert versions(1, 2, 5) is None
    assert 'was there before' in versions(1, 3, 2)
    assert 'was there before' in explain_revisions(
        [write('a', 0, 1, revision=2), look('b', 2, 3, revision=1)])
    assert 'was there before' in explain_revisions(
        [write('a', 0, 1, revision=2), write('a', 2, 3, revision=2)])
    assert explain_revisions([write('a', 0, 5, revision=2), look('b', 2, 3, revision=1)]) is None
    assert 'version 2 is' in explain_revisions(
        [write('a', 0, 5, revision=2), look('b', 2, 3, revision=2)])
