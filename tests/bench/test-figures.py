#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the benchmarks compute, and draw."""

import importlib.machinery
import importlib.util
import pathlib
import sys
import unittest
import xml.etree.ElementTree

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

import figures  # noqa: E402
import measures  # noqa: E402
import report  # noqa: E402


def load(name):
    """A program as a module."""
    loader = importlib.machinery.SourceFileLoader(name, str(HERE / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


H2LOAD = """
finished in 5.00s, 13812.40 req/s, 1.21MB/s
requests: 69062 total, 69094 started, 69062 done, 69062 succeeded, 0 failed, 0 errored, 0 timeout
"""
REDIS = '''"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"
"SET","38461.54","0.803","0.216","0.791","1.015","1.535","4.207"
'''
STATUS = 'Name:\tdkv\nvoluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t7\n'
IO = 'rchar: 1\nwchar: 2\nread_bytes: 4096\nwrite_bytes: 81920\ncancelled_write_bytes: 4096\n'


class WhatProgramsPrint(unittest.TestCase):
    def test_the_rate_of_h2load_is_that_of_the_whole_run(self):
        self.assertEqual(figures.h2load_result(H2LOAD), (13812.40, 69062))

    def test_what_h2load_says_of_a_failure_is_no_rate(self):
        with self.assertRaises(figures.Malformed):
            figures.h2load_result('connect: refused')

    def test_redis_is_read_by_the_names_of_its_columns(self):
        rate, latency = figures.redis_result(REDIS)
        self.assertEqual(rate, 38461.54)
        self.assertEqual(latency, {'p50': 791.0, 'p99': 1535.0})

    def test_redis_without_a_row_is_no_result(self):
        for text in REDIS.splitlines()[0], 'Could not connect\n':
            with self.assertRaises(figures.Malformed):
                figures.redis_result(text)


class WhatProcessesUse(unittest.TestCase):
    def test_threads_are_added_up(self):
        usage = figures.read_usage(['1500000000 5 3\n', '500000000 0 1\n'], [STATUS, STATUS], IO, 12)
        self.assertEqual(usage, figures.Usage(cpu=2, switches=314, written=81920, flushes=12))

    def test_a_request_costs_its_part_of_what_was_used_meanwhile(self):
        before, after = figures.Usage(1, 100, 1000, 10), figures.Usage(3, 700, 401000, 110)
        self.assertEqual(figures.per_request(after - before, 200), {
            'cpu_usec': 10000, 'switches': 3, 'bytes_written': 2000, 'flushes': 0.5})
        self.assertEqual(before + before, figures.Usage(2, 200, 2000, 20))


class Rounds(unittest.TestCase):
    def test_a_slow_minute_changes_the_medians_but_not_the_ratio(self):
        pairs = figures.describe_pairs([100, 100, 20, 20, 20], [200, 200, 40, 40, 40])
        self.assertEqual(pairs['ratio'], 2)
        self.assertEqual((pairs['old'], pairs['new'], pairs['least'], pairs['most']), (20, 40, 2, 2))

    def test_what_is_not_in_pairs_is_not_compared(self):
        for old, new in ([1, 2], [1]), ([], []):
            with self.assertRaises(figures.Malformed):
                figures.describe_pairs(old, new)

    def test_both_are_first_equally_often(self):
        firsts = [figures.order(number)[0] for number in range(6)]
        self.assertEqual(firsts.count('old'), firsts.count('new'))


class Goals(unittest.TestCase):
    def test_less_may_be_better(self):
        more, less = (measures.Comparison('', '', '', 0.5, less_is_better=flag) for flag in (False, True))
        self.assertEqual([report.is_met(one, value) for one in (more, less) for value in (0.4, 0.5, 0.6)],
                         [False, True, True, True, True, False])
        self.assertEqual([report.of_goal(one, 0.25) for one in (more, less)], [0.5, 2])
        for function in report.is_met, report.of_goal:
            self.assertIsNone(function(measures.Comparison('', '', ''), 1))

    def test_what_is_compared_is_measured(self):
        names = [measure.name for measure in measures.MEASURES]
        self.assertEqual(len(names), len(set(names)))
        for one in measures.GOALS + measures.OTHERS:
            self.assertLessEqual({one.ours, one.theirs or one.ours, one.needs or one.ours}, set(names))

    def test_nothing_else_is_measured_and_what_notes_a_figure_comes_first(self):
        chosen = [one for one in measures.GOALS if one.name.startswith('CPU of a PUT')]
        self.assertEqual([measure.name for measure in measures.needed_by(chosen)],
                         ['dkv put', 'dkv volume put', 'dkv put cpu', 'dkv volume put cpu'])

    def test_a_ratio_is_that_of_the_medians(self):
        medians = {'ours': 30, 'theirs': 40}
        self.assertEqual(report.describe_comparison(measures.Comparison('PUT', 'ours', 'theirs', 0.5), medians), {
            'name': 'PUT', 'dkv': 'ours', 'peer': 'theirs', 'value': 0.75, 'goal': 0.5, 'of_goal': 1.5, 'met': True})
        self.assertEqual(report.describe_comparison(measures.Comparison('PUT', 'ours', goal=60), medians), {
            'name': 'PUT', 'dkv': 'ours', 'peer': None, 'value': 30, 'goal': 60, 'of_goal': 0.5, 'met': False})

    def test_a_round_that_is_out_of_line_does_not_count(self):
        rounds = [report.Round({'dkv put': rate}, {'dkv put': cpu}, {(3, 32): {'all': {'cpu_usec': usec}}})
                  for rate, cpu, usec in ((100, 0.002, 110), (200, 0.004, 90), (1, 5, 7000))]
        measure = measures.Measure('dkv put', '/s', None)
        self.assertEqual(report.describe_measure(measure, rounds, 2), {
            'unit': '/s', 'median': 100, 'runs': [100, 200, 1], 'client_cpu_usec': 10})
        self.assertEqual(report.describe_costs(rounds), [
            {'volumes': 3, 'connections': 32, 'daemons': {'all': {'cpu_usec': 110}}}])


class Chart(unittest.TestCase):
    chart = load('chart')

    def document(self):
        medians = {'dkv put 1': 1600, 'dkv put': 11000, 'dkv put 256': 25000, 'dkv put p50': 600, 'etcd put': 13800,
                   'etcd put 256': 17000, 'dkv volume put': 12000}
        return {'measures': {name: {'median': median} for name, median in medians.items()},
                'machine': {'processors': 2, 'file_system': 'ext2/ext3'}, 'date': '2026-11-30T12:00:00+00:00'}

    def test_the_axis_has_round_numbers_and_room_for_all(self):
        self.assertEqual(figures.ticks(38000), [0, 10000, 20000, 30000, 40000])
        self.assertEqual(figures.ticks(10), [0, 2, 4, 6, 8, 10])
        self.assertGreaterEqual(figures.ticks(10001)[-1], 10001)
        self.assertEqual([figures.thousands(n) for n in (0, 500, 1500, 12000)], ['0', '500', '1.5k', '12k'])

    def test_a_line_is_of_the_puts_of_one_server(self):
        measures_made = self.document()['measures']
        self.assertEqual(self.chart.points(measures_made, 'dkv put'), [(1, 1600), (32, 11000), (256, 25000)])
        self.assertEqual(self.chart.points(measures_made, 'redis set'), [])

    def test_labels_do_not_cover_each_other(self):
        self.assertEqual(self.chart.apart([10, 12, 80], 17), [10, 27, 80])

    def test_what_is_drawn_is_svg_with_a_line_for_each_server_that_has_two_points(self):
        root = xml.etree.ElementTree.fromstring(self.chart.draw(self.document()))
        lines = root.findall('{http://www.w3.org/2000/svg}polyline')
        self.assertEqual([line.get('class') for line in lines], ['dkv-put', 'etcd-put'])
        for line in lines:
            for point in line.get('points').split():
                x, y = map(float, point.split(','))
                self.assertTrue(0 < x < self.chart.WIDTH and 0 < y < self.chart.HEIGHT)

    def test_each_line_has_a_colour_for_light_and_one_for_dark(self):
        root = xml.etree.ElementTree.fromstring(self.chart.draw(self.document()))
        light, dark = root.find('{http://www.w3.org/2000/svg}style').text.split('@media (prefers-color-scheme: dark)')
        for line in root.findall('{http://www.w3.org/2000/svg}polyline'):
            for style in light, dark:
                self.assertIn(f'.{line.get("class")} {{', style)


if __name__ == '__main__':
    unittest.main()
