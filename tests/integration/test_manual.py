# SPDX-License-Identifier: LGPL-2.1-or-later
"""The examples of the man pages do what stands there."""

import examples


def test_http(new_cluster, tmp_path):
    cluster = new_cluster()
    examples.check('dkv-http.7', tmp_path, cluster.master.port)
