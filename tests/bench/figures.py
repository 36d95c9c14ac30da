# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is computed from what programs and the kernel print. Pure: tests/bench/test-figures.py tests it."""

import csv
import dataclasses
import math
import re
import statistics


class Malformed(Exception):
    """A text that has not what was looked for."""


def search(pattern, text):
    found = re.search(pattern, text, re.M)
    if not found:
        raise Malformed(f'There is no {pattern!r} in:\n{text}')
    return found


# --- What programs print. ---

def h2load_result(text):
    """Requests per second, and how many were done."""
    return (float(search(r'finished in \S+, ([0-9.]+) req/s', text)[1]),
            int(search(r'(\d+) done', text)[1]))


def redis_result(text):
    """Requests per second, and latencies in µs: the last row of the CSV, by the names in the first."""
    rows = list(csv.reader(text.strip().splitlines()))
    row = dict(zip(rows[0], rows[-1]))
    if len(rows) < 2 or 'rps' not in row:
        raise Malformed(f'This is not what redis-benchmark --csv prints:\n{text}')
    return float(row['rps']), {f'p{n}': float(row[f'p{n}_latency_ms']) * 1000 for n in (50, 99)}


# --- What processes use. ---

@dataclasses.dataclass
class Usage:
    """Since the start of a process: seconds of CPU, context switches, bytes written to the disk, flushes."""
    cpu: float = 0
    switches: int = 0
    written: int = 0
    flushes: int = 0

    def __add__(self, other):
        return Usage(*(a + b for a, b in zip(dataclasses.astuple(self), dataclasses.astuple(other))))

    def __sub__(self, other):
        return Usage(*(a - b for a, b in zip(dataclasses.astuple(self), dataclasses.astuple(other))))


def read_usage(schedstats, statuses, io, flushes):
    """From the schedstat and status of all threads, and the io of the process, all as in /proc."""
    return Usage(
        cpu=sum(int(text.split()[0]) for text in schedstats) / 1e9,
        switches=sum(int(n) for text in statuses for n in re.findall(r'_ctxt_switches:\s+(\d+)', text)),
        written=int(search(r'^write_bytes: (\d+)', io)[1]),
        flushes=flushes)


def per_request(usage, requests):
    """µs of CPU, context switches, bytes and flushes for each."""
    return {'cpu_usec': usage.cpu * 1e6 / requests, 'switches': usage.switches / requests,
            'bytes_written': usage.written / requests, 'flushes': usage.flushes / requests}


def median_costs(rounds):
    """Of what per_request() returned in each round, for each daemon: the medians."""
    return {name: {what: statistics.median(one[name][what] for one in rounds) for what in costs}
            for name, costs in rounds[0].items()}


# --- Rounds. ---

def describe_pairs(old, new):
    """Of two series whose members were measured in pairs: medians, and the ratios of the pairs, which a
    slow minute of the machine changes least."""
    if len(old) != len(new) or not old:
        raise Malformed('There have to be as many of the one as of the other.')
    ratios = [b / a for a, b in zip(old, new)]
    return {'old': statistics.median(old), 'new': statistics.median(new), 'ratio': statistics.median(ratios),
            'least': min(ratios), 'most': max(ratios)}


def order(number):
    """Who is first in a round: by turns, since the second finds caches and the disk as the first left them."""
    return ('old', 'new') if number % 2 == 0 else ('new', 'old')


# --- Axes. ---

def ticks(most, wanted=5):
    """Round numbers from 0 up to at least MOST, about WANTED of them."""
    rough = most / wanted
    power = 10 ** math.floor(math.log10(rough))
    step = next(n * power for n in (1, 2, 5, 10) if n * power >= rough)
    return [step * n for n in range(math.ceil(most / step) + 1)]


def thousands(number):
    """As on an axis: 0, 500, 12k, 1.5k."""
    return f'{number:g}' if number < 1000 else f'{number / 1000:g}k'
