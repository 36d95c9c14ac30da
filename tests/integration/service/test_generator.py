# SPDX-License-Identifier: LGPL-2.1-or-later
"""What dkv-generator makes of settings and of what is enabled, and what the units say."""

import re
import subprocess

import pytest

from cluster import BUILD, SOURCE

UNITS = SOURCE / 'units'


class Machine:
    """The directories that the generator reads, and what it makes of them."""

    def __init__(self, directory):
        self.etc, self.units, self.out = directory / 'etc', directory / 'units', directory / 'out'
        for one in (self.etc, self.units, self.out):
            one.mkdir()

    def enable(self, unit, wanted_by='dkv.target'):
        wants = self.units / f'{wanted_by}.wants'
        wants.mkdir(exist_ok=True)
        (wants / unit).symlink_to(f'/usr/lib/systemd/system/{unit}')

    def configure(self, number, **settings):
        lines = ''.join(f'{name}={value}\n' for name, value in settings.items())
        (self.etc / f'volume@{number}.conf').write_text(f'[Volume]\n{lines}')

    def generate(self):
        subprocess.run([BUILD / 'daemons/generator/dkv-generator', f'--config={self.etc}', f'--units={self.units}', self.out],
                       timeout=30, check=True)
        return {str(path.relative_to(self.out)) for path in self.out.rglob('*') if not path.is_dir()}

    def socket(self, number):
        text = (self.out / f'dkv-volume@{number}.socket.d/50-dkv.conf').read_text()
        return re.findall(r'^ListenStream=(.+)$', text, re.M)


@pytest.fixture(name='machine')
def _machine(tmp_path):
    return Machine(tmp_path)


def test_volumes_that_do_not_exist_have_nothing(machine):
    assert machine.generate() == {'dkv-master.socket.d/50-dkv.conf'}


def test_each_volume_that_exists_has_a_socket_whatever_its_number(machine):
    machine.configure(65)
    machine.configure(4711, Listen='10.0.0.1:4000')
    machine.enable('dkv-volume@7.service')
    machine.enable('dkv-volume@66.socket')
    (machine.etc / 'volume@70.conf.d').mkdir()
    machine.generate()
    assert machine.socket(65) == ['127.0.0.1:3065']
    assert machine.socket(4711) == ['10.0.0.1:4000']
    assert machine.socket(7) == ['127.0.0.1:3007']
    assert machine.socket(66) == ['127.0.0.1:3066']
    assert machine.socket(70) == ['127.0.0.1:3070']
    assert len(list(machine.out.iterdir())) == 6


def test_names_that_are_no_volumes_are_left_alone(machine):
    for name in ('volume@.conf', 'volume@0.conf', 'volume@x.conf', 'volume@07.conf', 'volume@1.conf~',
                 'volume@99999999999999999999.conf'):
        (machine.etc / name).touch()
    machine.enable('dkv-volume@.service')
    machine.enable('dkv-volume@none.service')
    assert machine.generate() == {'dkv-master.socket.d/50-dkv.conf'}


def test_disk_that_is_mounted_late_starts_its_volume(machine):
    machine.configure(2, Directory='/srv/disk-2/dkv data')
    machine.configure(3, Directory='/srv/disk3')
    machine.enable('dkv-volume@2.service')
    machine.enable('dkv.target', 'multi-user.target')
    made = machine.generate()
    wishes = {f'{mount}.mount.wants/dkv-volume@2.service'
              for mount in ('srv', 'srv-disk\\x2d2', 'srv-disk\\x2d2-dkv\\x20data')}
    assert {name for name in made if '.wants/' in name} == wishes # and none for 3, which is not enabled
    assert 'RequiresMountsFor="/srv/disk-2/dkv data"' in \
        (machine.out / 'dkv-volume@2.service.d/50-dkv.conf').read_text()


def test_disk_starts_nothing_if_dkv_is_to_stay_down(machine):
    machine.configure(2, Directory='/srv/disk2')
    machine.enable('dkv-volume@2.service')
    assert not [name for name in machine.generate() if '.wants/' in name]


@pytest.mark.parametrize('unit', ['dkv-master.service.in', 'dkv-master.socket', 'dkv-volume@.service.in',
                                  'dkv-volume@.socket'])
def test_who_disables_a_unit_disables_no_other_one(unit):
    """Only the two units of one daemon belong together."""
    name = unit.removesuffix('.in')
    also = re.findall(r'^Also=(.*)$', (UNITS / unit).read_text(), re.M)
    daemon = name.split('.')[0].replace('@', '@%i')
    assert {one for line in also for one in line.split()} <= {f'{daemon}.socket', f'{daemon}.service'}
