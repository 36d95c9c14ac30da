#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The policy for SELinux compiles, and labels what is installed. Usage: selinux.py SOURCE-ROOT"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

MAKEFILE = pathlib.Path('/usr/share/selinux/devel/Makefile')
SKIPPED = 77

LABELLED = {
    '/etc/dkv/master.conf': 'dkv_etc_t',
    '/usr/sbin/dkv-master': 'dkv_exec_t',
    '/usr/bin/dkv-volume': 'dkv_exec_t',
    '/var/lib/dkv/master/index.db': 'dkv_var_lib_t',
    '/var/lib/dkv/volume-1': 'dkv_var_lib_t',
}


def label_of(contexts, path):
    """The type that the last pattern for PATH gives."""
    found = [type_ for pattern, type_ in contexts if re.fullmatch(pattern, path)]
    return found[-1] if found else None


def complaints(source):
    with tempfile.TemporaryDirectory() as directory:
        for name in ('dkv.te', 'dkv.fc'):
            shutil.copy(source / name, directory)
        made = subprocess.run(['make', '-f', MAKEFILE, 'dkv.pp'], cwd=directory, capture_output=True, text=True)
        if made.returncode != 0:
            yield f'etc/selinux/dkv.te: does not compile\n{made.stdout}{made.stderr}'

    contexts = re.findall(r'(?m)^(/\S+).*gen_context\(system_u:object_r:(\w+),', (source / 'dkv.fc').read_text())
    for path, wanted in LABELLED.items():
        if label_of(contexts, path) != wanted:
            yield f'etc/selinux/dkv.fc: {path} is not {wanted}'


def main():
    if not MAKEFILE.exists():
        print('It needs the headers of the SELinux policy.')
        return SKIPPED
    found = list(complaints(pathlib.Path(sys.argv[1]) / 'etc/selinux'))
    print('\n'.join(found))
    return bool(found)


sys.exit(main())
