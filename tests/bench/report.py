# SPDX-License-Identifier: LGPL-2.1-or-later
"""What came out: a table of ratios for people, a document with everything for programs."""

import datetime
import os
import platform
import statistics
import time

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


def is_met(ratio, value):
    """None where there is no goal."""
    if ratio.goal is None:
        return None
    return value <= ratio.goal if ratio.less_is_better else value >= ratio.goal


def describe_ratio(ratio, medians):
    value = medians[ratio.ours] / medians[ratio.theirs]
    return {
        'name': ratio.name, 'dkv': ratio.ours, 'peer': ratio.theirs,
        'ratio': value, 'goal': ratio.goal,
        'met': is_met(ratio, value),
    }


def document(options, build, machine, measures, ratios, figures, costs):
    medians = {name: statistics.median(runs) for name, runs in figures.items()}
    versions = {name: run(*command).splitlines()[0] for name, command in VERSIONS.items()}
    versions['dkv'] = run(build / 'cli' / 'dkv-sandbox', '--version').strip()

    return {
        'date': datetime.datetime.now(datetime.timezone.utc).isoformat(timespec='seconds'),
        'machine': machine,
        'versions': versions,
        'options': options,
        'measures': {m.name: {'unit': m.unit, 'median': medians[m.name], 'runs': figures[m.name]}
                     for m in measures},
        'ratios': [describe_ratio(ratio, medians) for ratio in ratios],
        'costs': costs,
    }


def print_measures(result):
    row = '{:<19} {:>10} {:>10} {:>10}  {}'

    print()
    print(row.format('', 'median', 'least', 'most', '').rstrip())
    for name, measure in result['measures'].items():
        figures = (measure['median'], min(measure['runs']), max(measure['runs']))
        print(row.format(name, *(f'{value:,.0f}' for value in figures), measure['unit']))


def print_ratios(result):
    row = '{:<51} {:<18} {:<16} {:>6} {:>6}  {}'

    print()
    print(row.format('', '', '', 'ratio', 'goal', '').rstrip())
    for ratio in result['ratios']:
        goal = '' if ratio['goal'] is None else f'{ratio["goal"]:.2f}'
        verdict = {None: '', True: 'met', False: 'MISSED'}[ratio['met']]
        print(row.format(ratio['name'], ratio['dkv'], ratio['peer'], f'{ratio["ratio"]:.2f}', goal,
                         verdict).rstrip())


def print_costs(result):
    row = '{:<26} {:>10} {:>10} {:>12} {:>10}'

    for volumes, costs in result['costs'].items():
        print(f'\nEach PUT, {volumes} volume{"" if volumes == 1 else "s"}, {costs["requests_per_second"]:,.0f}/s:')
        print(row.format('', 'CPU, us', 'flushes', 'bytes', 'switches'))
        for name, one in costs['daemons'].items():
            print(row.format(name, f'{one["cpu_usec"]:.1f}', f'{one["flushes"]:.2f}', f'{one["bytes_written"]:,.0f}',
                             f'{one["switches"]:.2f}'))
