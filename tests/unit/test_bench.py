"""tools/bench: the judging of results, and the templates of recorded statements."""

import pathlib
import re
import subprocess
import sys

import pytest

TOOLS = pathlib.Path(__file__).parents[2] / "tools"
sys.path[:0] = [str(TOOLS / "benchmark")]

import bench  # noqa: E402
import goals  # noqa: E402
from floor import recording, replay  # noqa: E402

pytestmark = pytest.mark.once
COMMANDS = sorted({command for page in (TOOLS.parent / "docs").glob("*.md")
                   for command in re.findall(r"^    \.tox/venv/bin/python (tools/bench.*)$", page.read_text(), re.M)})
TIME = goals.Goal("create_latency", "accept_p50_ms", "POST answered p50, ms", 10)
RATE = goals.Goal("show_rps", "c16_rps", "shows/s", 15)
FIRST, SECOND = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
JOBS = "33333333-3333-4333-8333-333333333333", "44444444-4444-4444-8444-444444444444"


def results(**metrics):
    return {"show_rps": {"summary": {name: {"median": value} for name, value in metrics.items()}}}


@pytest.mark.parametrize(("goal", "cinder", "ours", "floor", "met"), [
    (TIME, 100, 10, None, True), (TIME, 100, 10.1, None, False), (TIME, None, 10, None, None),
    (TIME, 100, 30, 20, True), (TIME, 100, 30.1, 20, False), (TIME, None, 30, 20, True), (TIME, None, 31, 20, None),
    (RATE, 100, 1500, None, True), (RATE, 100, 1400, None, False), (RATE, 100, 1000, 1500, True),
    (RATE, 100, 900, 1500, False)])
def test_a_goal_is_met_at_its_ratio_or_near_the_floor(goal, cinder, ours, floor, met):
    assert goals.judge(goal, cinder, ours, floor).met is met


def test_a_figure_that_is_missing_on_our_side_is_missed():
    verdicts = goals.judged(results(c16_rps=100), {"show_rps": {"summary": {}}}, {}, {"show_rps"})
    assert {verdict.met for verdict in verdicts} == {False}


def test_goals_of_other_scenarios_are_left_out():
    verdicts = goals.judged({}, results(c16_rps=100), {}, {"show_rps"})
    assert {verdict.goal.scenario for verdict in verdicts} == {"show_rps"}


def test_the_memory_of_the_services_is_their_sum():
    summary = {f"{name}_pss_mb": {"median": 10.5} for name in goals.SERVICES} | {"mariadb_pss_mb": {"median": 400}}
    assert goals.value({"memory.after_load": {"summary": summary}}, "memory.after_load", goals.MEMORY) == 42


def test_the_table_has_a_verdict_in_each_line():
    verdicts = [goals.judge(TIME, *values) for values in (
        (100, 5, 4), (100, 50, None), (None, 5, None), (100, 50, 40))]
    assert [line.rsplit("  ", 1)[1] for line in goals.table(verdicts).splitlines()[1:]] == [
        "met", "missed", "not judged", "met by the floor"]


def test_the_median_of_runs():
    runs = [{"a": 3, "note": "x"}, {"a": 1}, {"a": 2}]
    assert bench.summary(runs) == {"a": {"median": 2, "min": 1, "max": 3}}


@pytest.mark.parametrize(("request_", "key"), [
    (("GET", f"/volumes/{FIRST}", None), "GET /volumes/{id}"),
    (("POST", "/volumes", {"volume": {"size": 1, "snapshot_id": FIRST}}), "POST /volumes snapshot_id"),
    (("POST", f"/volumes/{FIRST}/action", {"os-extend": {"new_size": 2}}), "POST /volumes/{id}/action os-extend")])
def test_a_request_is_named_without_its_ids(request_, key):
    assert recording.key(*request_) == key


def units(id, job):
    begin = "2026-01-01 10:00:00.000000" if id == FIRST else "2026-01-02 11:00:00.000000"
    lease = begin.replace(":00.", ":30.")
    return [recording.Unit("api", True, [
        f"INSERT INTO jobs (id, args, created_at) VALUES ('{job}', '{{\\\"id\\\":\\\"{id}\\\"}}', '{begin}')",
        f"UPDATE jobs SET lease_until='{lease}' WHERE id = '{job}' AND owner LIKE 'a%'"])]


def test_what_differs_between_two_recordings_becomes_parameters():
    first, second = units(FIRST, JOBS[0]), units(SECOND, JOBS[1])
    assert recording.skeleton(first) == recording.skeleton(second)
    (unit,) = recording.templates(first, second, {(FIRST, SECOND): "in0"})
    assert unit["statements"] == [
        ("INSERT INTO jobs (id, args, created_at) VALUES (%s, %s, %s)",
         [["", "new1", ""], ['{"id":"', "in0", '"}'], ["", "+0", ""]]),
        ("UPDATE jobs SET lease_until=%s WHERE id = %s AND owner LIKE 'a%%'", [["", "+30", ""], ["", "new1", ""]])]


def test_an_id_that_is_neither_given_nor_made_is_of_a_row_that_was_read():
    pair = [[recording.Unit("api", False, [f"SELECT host FROM volumes WHERE id = '{id}'"])] for id in (FIRST, SECOND)]
    (unit,) = recording.templates(*pair, {})
    assert unit["statements"] == [("SELECT host FROM volumes WHERE id = %s", [["", "volume_id", ""]])]


def test_a_new_id_looks_like_any_other():
    assert recording.UUID.fullmatch(replay.new_id())


def test_statements_are_grouped_by_transactions_without_those_of_no_request():
    lines = [("api", "SELECT 1", 1), ("volume", "UPDATE services SET seen_at=1", 2), ("api", "INSERT 1", 3),
             ("volume", "COMMIT", 2), ("api", "UPDATE 1", 3), ("api", "COMMIT", 3), ("api", "SELECT 2", 1)]
    assert recording.units_of(lines) == [recording.Unit("api", False, ["SELECT 1"]),
                                       recording.Unit("api", True, ["INSERT 1", "UPDATE 1"]),
                                       recording.Unit("api", False, ["SELECT 2"])]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_documented_command_has_its_options(command):
    program, *words = command.split()
    shown = subprocess.run([sys.executable, program, "--help"], capture_output=True, text=True, cwd=TOOLS.parent)
    assert shown.returncode == 0, shown.stderr
    assert {word for word in words if word.startswith("--")} <= set(re.findall(r"--[\w-]+", shown.stdout))


def test_commands_are_documented():
    assert {command.split()[0] for command in COMMANDS} == {
        "tools/bench", "tools/bench_gray.py", "tools/bench_scale.py", "tools/bench_soak.py"}
