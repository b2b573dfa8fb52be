"""The goals as ratios to Cinder in the same run, and the judging of results by them.

A goal is met at its ratio, or where cinder-lite is within FLOOR_FACTOR of the floor (floor/__init__.py): then what is
left is the work itself. Results are as in the files of tools/bench: {scenario: {"summary": {metric: {"median": ...}}}}.
"""

import dataclasses

FLOOR_FACTOR = 1.5
SERVICES = ("api", "scheduler", "volume", "backup")
#: The sum of the four services' memory, which results have apart.
MEMORY = "services_pss_mb"


@dataclasses.dataclass(frozen=True)
class Goal:
    """Cinder's value of a metric divided by ours, or the inverse where more is better, has to be at least `ratio`."""

    scenario: str
    metric: str
    text: str
    ratio: float

    @property
    def more_is_better(self) -> bool:
        return self.metric.endswith(("rps", "_per_s"))


GOALS = (
    Goal("create_latency", "accept_p50_ms", "POST answered p50, ms", 12),
    Goal("create_latency", "available_p50_ms", "available p50, ms", 10),
    Goal("create_latency", "delete_gone_p50_ms", "deleted p50, ms", 10),
    Goal("create_throughput", "available_per_s", "200 creates at 16: available/s", 12),
    Goal("create_throughput", "cpu_ms_per_op.all", "CPU per create + delete, ms", 10),
    Goal("snapshots", "available_p50_ms", "snapshot available p50, ms", 10),
    Goal("snapshots", "cpu_ms_per_op.all", "CPU per snapshot create + delete, ms", 10),
    Goal("attachments", "cycle_p50_ms", "attachment cycle p50, ms", 10),
    Goal("attachments", "cpu_ms_per_op.all", "CPU per attachment cycle, ms", 10),
    Goal("show_rps", "c16_rps", "shows/s, 16 at a time", 15),
    Goal("show_rps", "cpu_ms_per_op.all", "CPU per show, ms", 15),
    Goal("list_latency.1000", "detail50_p50_ms", "detail of 50 p50, ms", 12),
    Goal("list_latency.1000", "detail1000_p50_ms", "detail of 1000 p50, ms", 12),
    Goal("list_latency.1000", "detail50_c16_rps", "details of 50/s, 16 at a time", 12),
    Goal("memory.after_load", MEMORY, "PSS of the four services after load, MB", 4),
    Goal("cold_start", "seconds", "four services up, s", 5),
)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """A goal with the three medians, None where not measured. `met` is None where it cannot be judged."""

    goal: Goal
    cinder: float | None
    ours: float | None
    floor: float | None
    ratio: float | None
    met: bool | None


def value(scenarios: dict, scenario: str, metric: str) -> float | None:
    """The median of a metric in results, None without any."""
    summary = scenarios.get(scenario, {}).get("summary", {})
    if metric == MEMORY:
        parts = [value(scenarios, scenario, f"{service}_pss_mb") for service in SERVICES]
        return None if None in parts else round(sum(parts), 1)
    return summary[metric]["median"] if metric in summary else None


def ratio(goal: Goal, other: float | None, ours: float | None) -> float | None:
    """How many times better ours is."""
    if not other or not ours:
        return None
    return ours / other if goal.more_is_better else other / ours


def judge(goal: Goal, cinder: float | None, ours: float | None, floor: float | None) -> Verdict:
    """Whether a goal is met. Without Cinder's value, only being near the floor can tell."""
    reached = ratio(goal, cinder, ours)
    near = ratio(goal, floor, ours)
    near_floor = near is not None and near >= 1 / FLOOR_FACTOR
    met = True if near_floor else None if reached is None else reached >= goal.ratio
    return Verdict(goal, cinder, ours, floor, reached, met)


def judged(cinder: dict, ours: dict, floor: dict, scenarios: set[str]) -> list[Verdict]:
    """The verdicts on the goals of the measured scenarios; a goal whose figure is missing on our side is missed."""
    found = []
    for goal in GOALS:
        if goal.scenario in scenarios:
            values = [value(results, goal.scenario, goal.metric) for results in (cinder, ours, floor)]
            verdict = judge(goal, *values)
            found.append(verdict if values[1] is not None else dataclasses.replace(verdict, met=False))
    return found


def table(verdicts: list[Verdict]) -> str:
    """The verdicts as text."""
    def number(found, digits=3):
        return "-" if found is None else f"{found:.{digits}g}" if found < 1000 else f"{found:.0f}"

    lines = [f"{'':42}{'Cinder':>9}{'ours':>9}{'floor':>9}{'ratio':>8}{'goal':>6}"]
    for one in verdicts:
        verdict = {True: "met", False: "missed", None: "not judged"}[one.met]
        if one.met and (one.ratio is None or one.ratio < one.goal.ratio):
            verdict = "met by the floor"
        lines.append(f"{one.goal.text:42}{number(one.cinder):>9}{number(one.ours):>9}{number(one.floor):>9}"
                     f"{number(one.ratio):>8}{one.goal.ratio:>6g}  {verdict}")
    return "\n".join(lines)
