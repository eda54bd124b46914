"""What a worker process says: lines out of any bytes, progress out of lines, time left, and words for people."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time

import pytest

from SpiderSegLib.cli.console import JsonProgress
from SpiderSegLib.mrml.workers.output import LONGEST_LINE_BYTES, LineSplitter, OutputReader, ProgressReport, parse_progress
from SpiderSegLib.mrml.workers.time_left import TimeLeft
from SpiderSegLib.mrml.workers.wording import error_lines, failure_text, stage_text, time_left_text
from SpiderSegLib.stages import Stage

PATIENCE_S = 30

PROGRESS = '{"stage": "network", "fraction": 0.5, "message": "a_t2"}'


def lines_of(program, *arguments):
    """Every line that a Python program's stdout and stderr give."""
    process = subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    reader = OutputReader(process.stdout)
    lines = []
    end = time.monotonic() + PATIENCE_S
    while not reader.at_end:
        assert time.monotonic() < end, "the output never ended"
        lines += reader.lines(1.0)
        time.sleep(0.01)
    process.wait()
    return lines


# Progress lines


def test_a_line_of_the_command_line_is_a_report(capsys):
    JsonProgress("a_t2", first=0.5, share=0.5).report("network", 0.5)
    assert parse_progress(capsys.readouterr().out.rstrip()) == ProgressReport("network", 0.75, "a_t2")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "warning: the series is not sagittal",
        "{",
        "[0.5]",
        "{}",
        '{"stage": "network", "fraction": 0.5}',
        '{"stage": 3, "fraction": 0.5, "message": ""}',
        '{"stage": "network", "fraction": "0.5", "message": ""}',
        '{"stage": "network", "fraction": true, "message": ""}',
        '{"stage": "network", "fraction": NaN, "message": ""}',
        '{"stage": "network", "fraction": -0.1, "message": ""}',
        '{"stage": "network", "fraction": 1.1, "message": ""}',
        '{"stage": "network", "fraction": 1' + 400 * "0" + ', "message": ""}',
        '{"a":' * 600,
        PROGRESS + " and more",
    ],
)
def test_any_other_line_is_none(line):
    assert parse_progress(line) is None


# Lines out of bytes


def test_lines_end_at_newlines_and_returns_wherever_the_bytes_are_cut():
    splitter = LineSplitter()
    assert [splitter.feed(part) for part in (b"one\ntw", b"o\r", b"\n\nthree", b" \r\n")] == [["one"], ["two"], [], ["three"]]


def test_the_last_line_needs_no_end():
    splitter = LineSplitter()
    assert splitter.feed(b"one\ntwo") == ["one"]
    assert splitter.end() == ["two"]
    assert splitter.end() == []


def test_a_letter_cut_in_two_is_one_letter():
    splitter = LineSplitter()
    assert splitter.feed(b"Wirbelk\xc3") == []
    assert splitter.feed(b"\xb6rper\n") == ["Wirbelkörper"]


def test_bytes_that_are_no_text_are_replaced():
    assert LineSplitter().feed(b"caf\xe4 \xff\x00\n" + PROGRESS.encode() + b"\n") == ["caf\ufffd \ufffd\x00", PROGRESS]


@pytest.mark.parametrize("step", [1000, 10**6])
def test_a_huge_line_is_cut_and_the_next_is_whole(step):
    data = b"x" * 10**5 + b"\n" + PROGRESS.encode() + b"\n"
    splitter = LineSplitter()
    lines = list(itertools.chain(*(splitter.feed(data[at : at + step]) for at in range(0, len(data), step))))
    assert lines[-1] == PROGRESS
    assert [len(line) for line in lines[:-1]] == [LONGEST_LINE_BYTES + len(" ...")]


# The pipe


def test_the_reader_gives_what_a_process_says_to_the_end():
    assert lines_of("import sys; print('out', flush=True); print('error', file=sys.stderr, flush=True); print('last', end='')") == [
        "out",
        "error",
        "last",
    ]


def test_output_that_ends_within_a_letter_ends():
    program = "import os, time; os.write(1, b'caf\\xe4'); time.sleep(0.2); os.write(1, b'\\n' + b'{}\\n' + b'\\xe4')"
    assert lines_of(program) == ["caf\ufffd", "{}", "\ufffd"]


def test_a_flood_comes_in_parts_and_whole():
    process = subprocess.Popen([sys.executable, "-c", "print('x\\n' * 300_000)"], stdout=subprocess.PIPE)
    reader = OutputReader(process.stdout)
    end = time.monotonic() + PATIENCE_S
    parts = []
    while not reader.at_end:
        assert time.monotonic() < end
        parts.append(len(list(reader.lines(0.001))))
    process.wait()
    assert sum(parts) == 300_000
    assert max(parts) < 300_000


def test_a_silent_process_is_not_waited_for():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], stdout=subprocess.PIPE)
    reader = OutputReader(process.stdout)
    assert list(reader.lines(60.0)) == []
    assert not reader.at_end
    process.kill()
    process.wait()


# Time left


def estimates(*reports):
    """Seconds left right after each report (time, fraction)."""
    now = [0.0]
    left = TimeLeft(lambda: now[0])
    found = []
    for at, fraction in reports:
        now[0] = at
        left.report(fraction)
        found.append(left.seconds)
    return found


def test_no_time_is_told_before_two_seconds_and_two_percent():
    assert estimates((0, 0.0), (9, 0.1), (10, 0.4), (20, 0.405)) == [None, None, None, pytest.approx(21.46, abs=0.01)]
    assert estimates((0, 0.1), (60, 0.11)) == [None, None]


def test_the_time_left_is_what_is_left_at_the_speed_so_far():
    # A tenth in two seconds leaves eight times as long; three tenths in four leave 8 s, and a third of the way is gone to there.
    assert estimates((0, 0.1), (2, 0.2), (4, 0.4)) == [None, pytest.approx(16), pytest.approx(0.7 * 18 + 0.3 * 12 - 4)]


def test_the_loading_before_the_first_share_is_no_part_of_the_speed():
    assert estimates((0, 0.0), (100, 0.1), (102, 0.2)) == [None, None, pytest.approx(16)]


def test_speed_of_long_ago_counts_no_more():
    # One percent a second for 10 s, then a tenth of it: after long enough only that tenth is left.
    slow = [(10 + 10 * n, 0.1 + 0.01 * n) for n in range(1, 31)]
    assert estimates((0, 0.01), (10, 0.1), *slow)[-1] == pytest.approx((1 - 0.4) / 0.001, rel=0.02)


def test_the_time_left_counts_down_between_reports_and_not_below_zero():
    now = [0.0]
    left = TimeLeft(lambda: now[0])
    left.report(0.1)
    now[0] = 2
    left.report(0.2)
    now[0] = 5
    assert left.seconds == pytest.approx(13)
    now[0] = 1000
    assert left.seconds == 0


def test_a_share_that_falls_changes_nothing():
    assert estimates((0, 0.1), (2, 0.2), (3, 0.1)) == [None, pytest.approx(16), pytest.approx(15)]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0, "a few seconds left"),
        (9.9, "a few seconds left"),
        (12, "about 10 s left"),
        (43, "about 45 s left"),
        (55, "about 1 min left"),
        (100, "about 2 min left"),
        (5400, "about 1.5 h left"),
    ],
)
def test_time_left_in_words(seconds, text):
    assert time_left_text(seconds) == text


# Words


def test_every_stage_has_words():
    assert not {stage_text(stage.value) for stage in Stage} & {stage.value for stage in Stage}
    assert stage_text("a stage of next year") == "a stage of next year"


def test_a_stage_that_has_ended_gives_what_comes_next():
    assert stage_text("preprocess") == stage_text("network") == "Finding vertebrae, discs and canal"
    assert stage_text("resample") == "Numbering the levels"


def test_the_reason_is_what_the_command_line_called_an_error():
    lines = ["left out: a", "warning: dark", "error: x.mha: the file is empty", "1 segmented, 1 failed"]
    assert error_lines(lines) == ["x.mha: the file is empty"]
    assert failure_text(1, lines) == "x.mha: the file is empty\n(exit code 1)"


def test_of_many_errors_the_last_three_are_shown():
    assert error_lines([f"error: {n}" for n in range(9)]) == ["6", "7", "8"]


def test_without_an_error_line_the_last_line_is_shown():
    lines = ["Traceback (most recent call last):", '  File "x.py", line 1', "ModuleNotFoundError: No module named 'typer'"]
    assert failure_text(1, lines) == "ModuleNotFoundError: No module named 'typer'\n(exit code 1)"


LAUNCHER = "error: [/opt/Slicer/bin/python-real] exit abnormally - Report the problem."


@pytest.mark.parametrize(
    ("exit_code", "lines", "expected"),
    [
        (-9, [], ["was killed (SIGKILL)", "memory ran out"]),
        (137, [], ["was killed (SIGKILL)"]),  # as shells and launchers report it
        (-11, ["error: bad"], ["(SIGSEGV)", "Its last words: bad"]),
        (139, [], ["(SIGSEGV)"]),
        (3221225477, [], ["Windows error 0xC0000005"]),
        (1, ["half a line", LAUNCHER], ["crashed or was killed", "Its last words: half a line"]),
        (130, ["error: interrupted; no half-written file was left"], ["interrupted from outside"]),
        (2, ["Usage: spiderseg", "error: expected bar, json or none"], ["expected bar, json or none", "(exit code 2)"]),
        (3, [], ["without a message", "3"]),
    ],
)
def test_how_a_run_ended_is_said(exit_code, lines, expected):
    text = failure_text(exit_code, lines)
    assert [part for part in expected if part not in text] == []
    assert "Report the problem" not in text


def test_progress_lines_survive_the_way_through_json():
    record = {"stage": "read", "fraction": 0, "message": "Wirbelsäule"}
    assert parse_progress(json.dumps(record)) == ProgressReport("read", 0.0, "Wirbelsäule")
