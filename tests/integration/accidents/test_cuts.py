# SPDX-License-Identifier: LGPL-2.1-or-later
"""Channels between daemons are cut under load, at any byte: every acknowledged write is there and whole,
nothing leaks.

$DKV_CUTS says how many cuts there are."""

import collections
import os
import random
import time

import pytest

from cluster import SANITIZED, free_ports
from cuts import DIRECTIONS, HANDSHAKE, HOWS, PLACES, Cut, CutLink
from load import Load

CUTS = int(os.environ.get('DKV_CUTS', '60'))
# Short, so that what was left behind is collected while we wait.
SETTINGS = {'GraceSec': '2s', 'TicketSec': '2s', 'VolumeTimeoutSec': '2s', 'AutoAddVolumes': 'yes'}
VOLUMES = 1, 2, 3
PATIENCE = 60 if SANITIZED else 20


def make_links(cluster):
    """In the way to each volume, and in the way of each to the master. Starts all."""
    links = {}
    for n, port in zip(VOLUMES, free_ports(len(VOLUMES))):
        volume = cluster.new_volume(n, port)
        links['to', n], links['from', n] = CutLink(volume.port), CutLink(cluster.master.port)
        volume.settings['Url'] = f'http://127.0.0.1:{links["to", n].port}'
        volume.settings['Master'] = f'http://127.0.0.1:{links["from", n].port}'
        volume.bus_address = 'none'
        volume.start()
    cluster.wait_healthy()
    return links


def all_kinds(n):
    """N cuts: every place with every direction and all that the ends may see of it, in random order."""
    kinds = [(place, direction, how) for place in PLACES for direction in DIRECTIONS for how in HOWS]
    kinds = (kinds * (n // len(kinds) + 1))
    random.shuffle(kinds)
    return kinds[:n]


@pytest.mark.sanitize
def test_acknowledged_writes_survive_cuts(new_cluster, tmp_path):
    cluster = new_cluster(volumes=0, copies=2, master=SETTINGS, wait=False)
    links = make_links(cluster)
    made = collections.Counter()
    begin = time.monotonic()
    load = Load(cluster, tmp_path / 'ledger')
    try:
        load.wait_for_more(100)
        for place, direction, how in all_kinds(CUTS):
            name, link = random.choice(list(links.items()))
            cut = Cut(place, direction, how, skip=random.randrange(30) if place != HANDSHAKE else 0)
            assert link.make(cut, PATIENCE), f'no {place} {direction} the link {name} within {PATIENCE} s'
            made[place] += 1
            load.wait_for_more(random.randrange(1, 200))
        load.wait_for_more(500)
    finally:
        load.stop()

    seconds = time.monotonic() - begin
    print(f'{CUTS} cuts in {seconds:.0f} s: {dict(made)}; {load.acknowledged} acknowledged writes, '
          f'{load.acknowledged / seconds:.0f}/s')
    cluster.wait_healthy()
    load.check()
    cluster.wait_clean(deadline=120)
    load.check()  # and the collector has taken nothing that counts
