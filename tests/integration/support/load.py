# SPDX-License-Identifier: LGPL-2.1-or-later
"""Load whose every acknowledged write is checked afterwards."""

import subprocess

from cluster import BENCH, wait_for


class Load:
    """dkv-bench, with a ledger of what it was told is stored."""

    def __init__(self, cluster, ledger):
        self.url, self.ledger = cluster.url, ledger
        ledger.touch()
        self.file = open(ledger, 'rb')
        self.acknowledged = 0
        self.process = subprocess.Popen([
            'setpriv', '--pdeathsig=KILL', BENCH, '--json', '--progress=no', '--allow-errors',
            '--duration=1h', '--connections=32', '--keys=3000', '--pattern=random',
            '--size=1:2,1K:90,20K:4,100K:4', '--read=10', '--timeout=5s',
            f'--acknowledged={ledger}', 'mixed', cluster.url],
            stdout=subprocess.DEVNULL, start_new_session=True)

    def count(self):
        """How many writes were acknowledged so far."""
        self.acknowledged += sum(not line.startswith(b'?') for line in self.file.readlines())
        assert self.process.poll() is None, f'dkv-bench ended with {self.process.returncode}'
        return self.acknowledged

    def wait_for_more(self, n):
        goal = self.count() + n
        wait_for(lambda: self.count() >= goal, f'{n} more acknowledged writes')

    def stop(self):
        self.count()
        self.file.close()
        self.process.kill()
        self.process.wait()

    def check(self):
        done = subprocess.run([BENCH, '--progress=no', 'check', self.ledger, self.url],
                              capture_output=True, text=True, check=False)
        print(done.stdout)
        assert done.returncode == 0, done.stdout + done.stderr
