# SPDX-License-Identifier: LGPL-2.1-or-later
"""What came out: tables for people, a document with everything for programs."""

import dataclasses
import datetime
import os
import platform
import statistics
import time

from figures import median_costs
from servers import run

# The figures are of these releases; each command says which in its first line.
VERSIONS = {
    'etcd': ['etcd', '--version'],
    'redis': ['redis-server', '--version'],
    'nginx': ['sh', '-c', 'nginx -v 2>&1'],
    'h2load': ['h2load', '--version'],
    'curl': ['curl', '--version'],
}


def processor():
    with open('/proc/cpuinfo') as info:
        models = [line.split(':')[1].strip() for line in info if line.startswith('model name')]
    return models[0] if models else platform.machine()


def busy():
    """The part of the processors' time that is in use at the moment."""
    def ticks():
        with open('/proc/stat') as stat:
            values = [int(word) for word in stat.readline().split()[1:9]]
        return sum(values), values[3] + values[4]  # all, and those idle or waiting for a disk

    total, idle = ticks()
    time.sleep(2)
    total_after, idle_after = ticks()
    return 1 - (idle_after - idle) / (total_after - total)


def describe_machine(directory):
    return {
        'processors': os.cpu_count(),
        'processor': processor(),
        'memory_bytes': os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE'),
        'kernel': platform.release(),
        'busy_before': round(busy(), 3),
        'file_system': run('stat', '--file-system', '--format=%T', directory).strip(),
    }


@dataclasses.dataclass
class Round:
    """What was measured once."""
    figures: dict = dataclasses.field(default_factory=dict)  # by the name of the measure
    clients: dict = dataclasses.field(default_factory=dict)  # seconds of CPU that the load took, likewise
    costs: dict = dataclasses.field(default_factory=dict)    # by (volumes, connections), by daemon


def is_met(comparison, value):
    """None where there is no goal."""
    if comparison.goal is None:
        return None
    return value <= comparison.goal if comparison.less_is_better else value >= comparison.goal


def of_goal(comparison, value):
    """How much of the goal was reached: 1 and more is all of it."""
    if comparison.goal is None:
        return None
    return comparison.goal / value if comparison.less_is_better else value / comparison.goal


def describe_comparison(comparison, medians):
    ours = medians[comparison.ours]
    value = ours / medians[comparison.theirs] if comparison.theirs else ours
    return {
        'name': comparison.name, 'dkv': comparison.ours, 'peer': comparison.theirs,
        'value': value, 'goal': comparison.goal,
        'of_goal': of_goal(comparison, value), 'met': is_met(comparison, value),
    }


def describe_measure(measure, rounds, seconds):
    runs = [one.figures[measure.name] for one in rounds]
    described = {'unit': measure.unit, 'median': statistics.median(runs), 'runs': runs}
    if measure.unit == '/s':
        described['client_cpu_usec'] = statistics.median(
            one.clients[measure.name] * 1e6 / (one.figures[measure.name] * seconds) for one in rounds)
    return described


def describe_costs(rounds):
    """A row for each number of volumes and connections."""
    return [{'volumes': volumes, 'connections': connections,
             'daemons': median_costs([one.costs[volumes, connections] for one in rounds])}
            for volumes, connections in sorted(rounds[0].costs)]


def document(options, build, machine, measures, comparisons, rounds):
    described = {measure.name: describe_measure(measure, rounds, options['seconds']) for measure in measures}
    medians = {name: one['median'] for name, one in described.items()}
    versions = {name: run(*command).splitlines()[0] for name, command in VERSIONS.items()}
    versions['dkv'] = run(build / 'cli' / 'dkv-sandbox', '--version').strip()

    return {
        'date': datetime.datetime.now(datetime.timezone.utc).isoformat(timespec='seconds'),
        'machine': machine,
        'versions': versions,
        'options': options,
        'measures': described,
        'comparisons': [describe_comparison(one, medians) for one in comparisons],
        'costs': describe_costs(rounds),
    }


def print_measures(result):
    row = '{:<19} {:>10} {:>10} {:>10}  {:<6} {:>12}'

    print('\n' + row.format('', 'median', 'least', 'most', '', 'client, us').rstrip())
    for name, measure in result['measures'].items():
        figures = (measure['median'], min(measure['runs']), max(measure['runs']))
        client = f'{measure["client_cpu_usec"]:.1f}' if 'client_cpu_usec' in measure else ''
        print(row.format(name, *(f'{value:,.0f}' for value in figures), measure['unit'], client).rstrip())


def print_comparisons(result):
    row = '{:<50} {:>13} {:>10} {:>8} {:>8} {:>8}  {}'
    measures = result['measures']

    def figure(name):
        return f'{measures[name]["median"]:,.0f}' if name else ''

    print('\n' + row.format('', 'dkv', 'peer', 'ratio', 'goal', 'of goal', '').rstrip())
    for one in result['comparisons']:
        ratio = f'{one["value"]:.2f}' if one['peer'] else ''
        goal = '' if one['goal'] is None else f'{one["goal"]:{".2f" if one["peer"] else ",.0f"}}'
        part = '' if one['of_goal'] is None else f'{one["of_goal"]:.0%}'
        verdict = {None: '', True: 'met', False: 'MISSED'}[one['met']]
        unit = measures[one['dkv']]['unit']
        print(row.format(one['name'], f'{figure(one["dkv"])} {unit}', figure(one['peer']), ratio, goal, part,
                         verdict).rstrip())


def print_costs(result):
    row = '{:>7} {:>10}  {:<10} {:>10} {:>10} {:>10} {:>10}'

    if result['costs']:
        print('\nWhat each PUT costs:\n' + row.format(
            'volumes', 'at a time', '', 'CPU, us', 'flushes', 'bytes', 'switches'))
    for costs in result['costs']:
        for name, one in costs['daemons'].items():
            print(row.format(costs['volumes'], costs['connections'], name, f'{one["cpu_usec"]:.1f}',
                             f'{one["flushes"]:.2f}', f'{one["bytes_written"]:,.0f}', f'{one["switches"]:.2f}'))
