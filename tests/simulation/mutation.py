"""Count which mutants the worlds kill: python -m tests.simulation.mutation [--seeds SEEDS] [--clustered] [PATTERN]...

Each mutant runs seed after seed until a rule breaks. Prints a line for each, and the share of those that were killed.
The exit status is 1 if that is below 95 %.
"""

from tests.simulation import world

world.prepare()

import argparse  # noqa: E402
import contextlib  # noqa: E402
import fnmatch  # noqa: E402
import sys  # noqa: E402

from tests.simulation import mutants, runs, shrink, site  # noqa: E402

#: The share of mutants that have to be killed.
WANTED = 0.95


def kill(runner, seeds, first=lambda: None):
    """[seed that killed the mutant, the rule that it broke, runs]; the seed is None if none did."""
    for number, seed in enumerate(seeds, 1):
        found = runner.run(runs.Plan.of(seed), first)
        if "broken" in found:
            return [seed, shrink.rule(found), number]
    return [None, "", len(seeds)]


def kill_apart(name, seeds):
    """The same with a beginning of its own."""
    mutants.MUTANTS[name]()
    with runs.Runner() as runner:
        return kill(runner, seeds)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="1-100", help="FIRST-LAST, or several of both with commas between")
    parser.add_argument("--clustered", action="store_true", help="with a backend that both hosts serve at once")
    parser.add_argument("patterns", nargs="*", default=["*"])
    given = parser.parse_args()
    if given.clustered:
        site.share()
    seeds = [seed for part in given.seeds.split(",") for seed in _range(part)]
    names = [name for name in mutants.MUTANTS if any(fnmatch.fnmatch(name, one) for one in given.patterns)]
    killed = 0
    with runs.Runner() if any(map(mutants.is_late, names)) else contextlib.nullcontext() as runner:
        for name in names:
            if mutants.is_late(name):
                seed, rule, number = kill(runner, seeds, mutants.MUTANTS[name])
            else:
                seed, rule, number = runs.apart(kill_apart, name, seeds) or [0, "the process died", 0]
            killed += seed is not None
            print(f"{'lives ' if seed is None else 'killed'}  {name:60} {number:4} seeds  {rule}", flush=True)
    print(f"{killed} of {len(names)} killed")
    return 0 if killed >= WANTED * len(names) else 1


def _range(text):
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


if __name__ == "__main__":
    sys.exit(main())
