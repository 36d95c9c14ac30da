# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether a history of one key is linearizable: whether there is one order of all operations, each
at a moment between its begin and its end, that explains every answer.

The search is that of Wing and Gong with the memory of Lowe: it takes operations one by one that may
come next, and never tries again what it has seen to lead nowhere, the same set of operations taken
with the same value current. What only looks is taken as soon as it fits, which loses nothing. An
operation whose outcome is not known may come at any time after its begin, or never."""

import dataclasses
import math

ABSENT = 0  # in the place of a value: there is none
NEVER = math.inf


@dataclasses.dataclass
class Operation:
    """VALUE is what a write stores (each write another one), ABSENT for a delete, or what a look has
    found. NEEDS says what the value before has to be, None that it does not matter; an operation
    without a known outcome does nothing if it is not that."""

    kind: str  # 'write' (also a delete) or 'look'
    value: object = ABSENT
    needs: object = None
    begin: float = 0
    end: float = NEVER  # if the outcome is not known
    revision: int = 0  # that the answer names; 0 for none
    text: str = ''

    def fits(self, current):
        if self.kind == 'look' and self.needs is None:
            return current == self.value
        return self.needs is None or self.needs(current)

    def __str__(self):
        return (f'{self.begin:10.4f} to {self.end:10.4f}: {self.text or self.kind} {self.value}'
                + (f', version {self.revision}' if self.revision else ''))


def look(value, begin, end, **more):
    return Operation('look', value, None, begin, end, **more)


def refused(needs, begin, end, **more):
    """A write that did nothing, for NEEDS was true."""
    return Operation('look', None, needs, begin, end, **more)


def write(value, begin, end=NEVER, needs=None, **more):
    return Operation('write', value, needs, begin, end, **more)


@dataclasses.dataclass(frozen=True)
class Needs:
    """Of what was current: that it is VALUE, or is not."""

    value: object
    equal: bool

    def __call__(self, current):
        return (current == self.value) == self.equal


def has(value):
    return Needs(value, True)


def has_not(value):
    return Needs(value, False)


is_present, is_absent = has_not(ABSENT), has(ABSENT)


class Search:
    """STEPS_MAX bounds the work for histories that are no good; nobody should get there."""

    STEPS_MAX = 1_000_000

    def __init__(self, operations, initial=ABSENT):
        self.operations = sorted(operations, key=lambda one: one.begin)
        self.initial = initial
        self.steps = 0
        self.best = (-1, 0, ABSENT)  # how many were explained, which, and what was current then
        # Values that anything depends on. All others are as good as each other, and so are the
        # unknown writes of them.
        self.seen = {one.value for one in self.operations if one.kind == 'look'} | {ABSENT} | {
            one.needs.value for one in self.operations if one.needs}
        self.unknown = sum(1 << i for i, one in enumerate(self.operations) if one.end == NEVER)
        # In which order what may come next is tried: as the versions say, the unknown ones last.
        self.rank = [(one.end == NEVER, one.revision or NEVER, one.end) for one in self.operations]
        self.tried = {}  # (known ones taken, value) -> which unknown ones were taken

    def next_ones(self, taken, first):
        """The operations that no other one has to come before. Returns where those that are not
        taken begin, too."""
        operations, horizon, found = self.operations, NEVER, []
        while first < len(operations) and taken >> first & 1:
            first += 1
        for i in range(first, len(operations)):
            if operations[i].begin > horizon:
                break
            if not taken >> i & 1:
                found.append(i)
                horizon = min(horizon, operations[i].end)
        return [i for i in found if operations[i].begin <= horizon], first

    def take_looks(self, taken, first, current):
        """Takes what only looks, and fits, until there is no more of that."""
        while True:
            found, first = self.next_ones(taken, first)
            looks = [i for i in found
                     if self.operations[i].kind == 'look' and self.operations[i].fits(current)]
            if not looks:
                return taken, first, found
            for i in looks:
                taken |= 1 << i

    def was_tried(self, taken, current):
        """Whether nothing can come of this that did not come of what was tried already, with the
        same unknown ones taken, or fewer."""
        current = current if current in self.seen else None
        others = self.tried.setdefault((taken & ~self.unknown, current), [])
        unknown = taken & self.unknown
        if any(other & ~unknown == 0 for other in others):
            return True
        others.append(unknown)
        return False

    def next_writes(self, found, current):
        """Those that may come next, the best last."""
        kinds, chosen = set(), []
        for i in found:
            one = self.operations[i]
            if one.kind != 'write' or not one.fits(current):
                continue
            if one.end == NEVER and one.needs is None:
                kind = one.value if one.value in self.seen else None
                if kind in kinds:
                    continue
                kinds.add(kind)
            chosen.append(i)
        return sorted(chosen, key=self.rank.__getitem__, reverse=True)

    def run(self):
        """Whether there is such an order."""
        stack = [(0, 0, self.initial)]
        while stack:
            taken, first, current = stack.pop()
            taken, first, found = self.take_looks(taken, first, current)
            if self.was_tried(taken, current):
                continue
            self.steps += 1
            n = taken.bit_count()
            if n > self.best[0]:
                self.best = (n, taken, current)
            if all(self.operations[i].end == NEVER for i in found):
                return True  # if a known one were left, one would be among them
            if self.steps > self.STEPS_MAX:
                raise RuntimeError('the search has no end')
            for i in self.next_writes(found, current):
                stack.append((taken | 1 << i, first, self.operations[i].value))
        return False

    def report(self):
        """What was explained at best, the end of it, and what comes next and does not fit."""
        _, taken, current = self.best
        found, first = self.next_ones(taken, 0)
        lines = [f'The value is {current}, and none of these fits:']
        lines += [f'  {self.operations[i]}' for i in found]
        lines += ['after', *[f'  {one}' for i, one in enumerate(self.operations)
                             if taken >> i & 1 and i > first - 40]]
        return '\n'.join(lines)


def explain(operations, initial=ABSENT):
    """None if the history is linearizable, else a text that says where it ends to be."""
    search = Search(operations, initial)
    return None if search.run() else search.report()


def explain_revisions(operations):
    """The same for the numbers of versions: they never go backwards, each write has a new one, and a
    number has one value."""
    values, newest, ended = {}, 0, []
    for one in sorted(operations, key=lambda one: one.begin):
        if not one.revision:
            continue
        if values.setdefault(one.revision, one.value) != one.value:
            return f'version {one.revision} is {values[one.revision]}, and in\n  {one}'
        for before in [before for before in ended if before.end < one.begin]:
            ended.remove(before)
            newest = max(newest, before.revision)
        if one.revision < newest or (one.kind == 'write' and one.revision == newest):
            return f'version {newest} was there before\n  {one}'
        ended.append(one)
    return None
