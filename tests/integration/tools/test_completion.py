# SPDX-License-Identifier: LGPL-2.1-or-later
"""What bash and zsh offer when TAB is typed, in real ones on a terminal of their own."""

import os
import pathlib
import pty
import re
import shutil
import signal
import threading
import time

import pytest

from adm import wait_for_bus
from cluster import BUILD, DEADLINE, SOURCE, Cluster, wait_for

BASH_COMPLETION = pathlib.Path('/usr/share/bash-completion/bash_completion')
COMPLETIONS = SOURCE / 'cli/adm/completions'

# Both shells get a key that puts in all that could be, and one that tells the line and clears it.
BASH_INIT = f'''
PS1=; bind 'set bell-style none'; set +o history
. {BASH_COMPLETION}
. {COMPLETIONS}/dkvadm.bash
tell() {{ printf '%s\\n' "$READLINE_LINE" >"$OUT.new"; mv "$OUT.new" "$OUT"; READLINE_LINE=; READLINE_POINT=0; }}
bind -x '"\\C-g": tell'
bind '"\\C-o": insert-completions'
'''
ZSH_INIT = f'''
PS1=; unsetopt beep; fpath=({COMPLETIONS} $fpath)
autoload -Uz compinit; compinit -D -u
tell() {{ print -r -- "$BUFFER" >$OUT.new; mv $OUT.new $OUT; BUFFER=; }}
zle -N tell; bindkey '^G' tell
all() {{ _main_complete; compstate[insert]=all; compstate[list]=; }}
zle -C all complete-word all; bindkey '^O' all
bindkey '^I' complete-word
'''


class Shell:
    """An interactive one, whose output is read all the time."""

    def __init__(self, name, directory, bus):
        directory.mkdir()
        self.directory, self.out, self.output = directory, directory / 'out', ''
        (directory / '.ssh').mkdir()
        (directory / '.ssh/known_hosts').write_text('store.example ssh-ed25519 AAAA\n')
        (directory / 'bin').mkdir()
        self.ssh('#!/bin/sh\nexit 1\n')
        init = directory / 'init'
        init.write_text(BASH_INIT if name == 'bash' else ZSH_INIT)
        command = ['bash', '--norc', '--noprofile', '-i'] if name == 'bash' else ['zsh', '-f', '-i']

        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(directory)
            os.environ.update(HOME=str(directory), OUT=str(self.out), TERM='xterm', BUS=bus,
                              PATH=f'{directory}/bin:{BUILD}/cli:{os.environ["PATH"]}')
            os.execvp(command[0], command)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        self.type(f'. {init}; echo in""itialised\n')
        wait_for(lambda: 'initialised' in self.output, f'{name}: {self.output}')

    def ssh(self, text):
        """What -H calls."""
        program = self.directory / 'bin/ssh'
        program.write_text(text)
        program.chmod(0o755)

    def read(self):
        try:
            while data := os.read(self.terminal, 4096):
                self.output += data.decode(errors='replace')
        except OSError:
            pass  # the shell has ended

    def type(self, text):
        os.write(self.terminal, text.encode())

    def line(self, text, key):
        self.out.unlink(missing_ok=True)
        self.type(text + key + '\a')
        wait_for(self.out.exists, f'the line, of {text!r}: {self.output[-500:]}')
        return self.out.read_text().removesuffix('\n')

    def tab(self, text):
        """What becomes of the line."""
        return self.line(text, '\t')

    def all(self, text):
        """All that the last word could become, each up to the next = or :, since bash sees ends of
        words there."""
        head = text[:-len(re.search(r'[^ =]*$', text)[0]) or None]
        line = self.line(text, '\x0f')
        if line == text:
            return []
        assert line.startswith(head), (line, head)
        return [word.removeprefix(head.split(' ')[-1]) for word in line[len(head):].split()]

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.reader.join(DEADLINE)
        os.close(self.terminal)


@pytest.fixture(scope='module')
def box(tmp_path_factory):
    """Three active volumes of four."""
    one = Cluster(tmp_path_factory.mktemp('box'), volumes=4, bus=True, wait=False,
                  master={'AutoAddVolumes': 'no'})
    wait_for_bus(one, 'down')
    wait_for(lambda: len(one.health()['volumes']) == 4, 'four volumes')
    one.dkvadm('volume', 'add', 1, 2, 3)
    one.dkvadm('volume', 'set', 1, '--zone=rack one')
    yield one
    one.close()


@pytest.fixture(params=['bash', 'zsh'], scope='module')
def shell(request, box, tmp_path_factory):
    if not shutil.which(request.param) or request.param == 'bash' and not BASH_COMPLETION.exists():
        pytest.skip(f'{request.param} or its completion is not installed')
    one = Shell(request.param, tmp_path_factory.mktemp('shell') / 'home', box.bus.address)
    one.name, one.at = request.param, f'dkvadm --sandbox={box.directory} '
    yield one
    one.close()


def test_verbs(shell):
    assert shell.tab('dkvadm stat') == 'dkvadm status '
    assert shell.tab('dkvadm volume remo') == 'dkvadm volume remove-config '
    assert {'status', 'volume', 'set', 'job', 'monitor'} <= set(shell.all('dkvadm '))
    assert set(shell.all('dkvadm secret ')) == {'create', 'show'}
    assert shell.all('dkvadm nonsense ') == []
    assert set(shell.all('dkvadm volume maintenance 1 ')) == {'on', 'off'}
    assert shell.all('dkvadm --json=short job sh') == ['show']


def test_options(shell):
    assert shell.tab('dkvadm --no-pa') == 'dkvadm --no-pager '
    assert shell.tab('dkvadm volume set 1 --wei') == 'dkvadm volume set 1 --weight='
    assert set(shell.all('dkvadm volume set 1 ')) == {'--weight=', '--zone=', '--url=', '--epoch='}
    assert '--dry-run' not in shell.all('dkvadm status --')
    assert '--yes' not in shell.all('dkvadm rebalance --yes --')
    assert '--weight=' not in shell.all('dkvadm volume set 1 -- --')
    assert set(shell.all('dkvadm --json=')) == {'short', 'pretty', 'off'}
    assert set(shell.all('dkvadm --json ')) == {'short', 'pretty', 'off'}
    assert shell.tab('dkvadm --json=sh') == 'dkvadm --json=short '


def test_volumes(shell, box):
    assert shell.all(f'{shell.at}volume show ') == ['1', '2', '3', '4']
    assert shell.all(f'{shell.at}volume add ') == ['4']
    assert shell.all(f'{shell.at}volume delete 2 ') == ['1', '3']
    assert shell.all(f'{shell.at}events --volume=') == ['1', '2', '3', '4']
    assert shell.all(f'{shell.at}config ') == ['1', '2', '3', '4']
    assert shell.tab(f'{shell.at}set cop') == f'{shell.at}set copies='
    assert shell.all(f'{shell.at}set copies=') == ['1', '2', '3']
    assert shell.tab(f'{shell.at}volume set 2 --zone=') == rf'{shell.at}volume set 2 --zone=rack\ one '

    # Wherever the options that say where stand, and however they are written.
    assert shell.all(f'dkvadm volume --sandbox "{box.directory}" show ') == ['1', '2', '3', '4']
    assert shell.all(f"dkvadm volume show --bus-address '{box.bus.address}' ") == ['1', '2', '3', '4']


def test_jobs(shell, box):
    for n in range(300):
        box.put(f'k{n}', b'x' * 40000).expect(201, 204)
    job = box.dkvadm('volume', 'delete', 3, '--yes', '--no-block', '--rate=100K').strip()
    job = re.search(r'\d+', job)[0]
    assert job in shell.all(f'{shell.at}job pause ')
    assert job not in shell.all(f'{shell.at}job resume ')
    box.dkvadm('job', 'pause', job)
    assert job not in shell.all(f'{shell.at}job pause ')
    assert shell.all(f'{shell.at}job resume ') == [job]
    assert job in shell.all(f'{shell.at}job set ')
    box.dkvadm('job', 'cancel', job)
    wait_for(lambda: box.dkvadm_json('job', 'show', job)['state'] == 'cancelled')
    assert job not in shell.all(f'{shell.at}job cancel ')
    assert job in shell.all(f'{shell.at}job show ')


def test_files_and_hosts(shell):
    (shell.directory / 'box one').mkdir(exist_ok=True)
    (shell.directory / 'box.txt').touch()
    assert shell.tab('dkvadm --sandbox=bo') == r'dkvadm --sandbox=box\ one/'
    assert shell.tab('dkvadm --sandbox bo') == r'dkvadm --sandbox box\ one/'
    assert set(shell.all('dkv-bench check bo')) & {'box.txt'}
    assert shell.tab('dkvadm -H sto') == 'dkvadm -H store.example '
    assert shell.tab('dkvadm -H root@sto') == 'dkvadm -H root@store.example '
    assert shell.tab('dkvadm --host=root@sto') == 'dkvadm --host=root@store.example '


def test_another_machine(shell, box):
    if not shutil.which('systemd-stdio-bridge'):
        pytest.skip('no systemd-stdio-bridge')
    shell.ssh('#!/bin/sh\nexec systemd-stdio-bridge --bus-path="$BUS"\n')
    assert shell.all('dkvadm -H root@store.example volume show ') == ['1', '2', '3', '4']
    assert shell.all('dkvadm --host=store.example volume show ') == ['1', '2', '3', '4']


def test_who_does_not_answer(shell):
    """It takes a second, says nothing, and leaves nothing behind."""
    shell.ssh('#!/bin/sh\necho $$ >"$HOME/ssh.pid"\nexec sleep 60\n')
    begin = time.monotonic()
    assert shell.all('dkvadm -H store.example volume show ') == []
    assert time.monotonic() - begin < 10
    pid = int((shell.directory / 'ssh.pid').read_text())
    wait_for(lambda: not pathlib.Path(f'/proc/{pid}').exists(), 'the end of ssh')

    before = len(shell.output)
    assert shell.tab('dkvadm --sandbox=/nowhere volume show ') == 'dkvadm --sandbox=/nowhere volume show '
    assert 'reached' not in shell.output[before:]


def test_nothing_is_run(shell):
    """What stands on the line is not run before it is entered."""
    shell.all(r'dkvadm --sandbox="$(touch ran)" volume show ')
    shell.all(r'dkvadm --sandbox=\`touch ran\` volume show ')
    assert not (shell.directory / 'ran').exists()


def test_other_programs(shell, box):
    assert set(shell.all('dkv-bench ')) == {'put', 'get', 'mixed', 'delete', 'check'}
    assert shell.tab('dkv-bench put --conn') == 'dkv-bench put --connections='
    assert set(shell.all('dkv-bench put --pattern=')) == {'sequential', 'random', 'zipf'}
    assert set(shell.all('dkv-sandbox ')) == {'start', 'stop', 'status', 'add', 'kill', 'restart'}
    assert shell.tab('dkv-sandbox start --vol') == 'dkv-sandbox start --volumes='
    assert shell.tab('dkv-sandbox start --port 4000 bo') == r'dkv-sandbox start --port 4000 box\ one/'
    (shell.directory / 'two').mkdir(exist_ok=True)
    (shell.directory / 'two/volume@7.conf').touch()
    assert shell.all('dkv-sandbox kill two ') == ['master', 'bus', '7']


def test_descriptions(shell, box):
    """zsh shows them."""
    if shell.name == 'bash':
        pytest.skip('bash shows none')
    before = len(shell.output)
    shell.tab(f'{shell.at}volume show ')
    wait_for(lambda: f'active, {box.volumes[2].settings["Listen"]}' in shell.output[before:]
             or f'active, http://{box.volumes[2].settings["Listen"]}' in shell.output[before:],
             'descriptions')
