"""Count which mutants the worlds kill: python -m tests.simulation.mutation [--seeds FIRST-LAST] [PATTERN]...

Each mutant runs seed after seed until a rule breaks. Prints a line for each, and the share of those that were killed.
The exit status is 1 if that is below 95 %.
"""

from tests.simulation import world

world.prepare()

import argparse  # noqa: E402
import fnmatch  # noqa: E402
import sys  # noqa: E402

from tests.simulation import mutants, runs, shrink  # noqa: E402

#: The share of mutants that have to be killed.
WANTED = 0.95


def kill(name, seeds):
    """[seed that killed the mutant, the rule that it broke, runs]; the seed is None if none did."""
    mutants.MUTANTS[name]()
    with runs.Runner() as runner:
        for number, seed in enumerate(seeds, 1):
            found = runner.run(runs.Plan.of(seed))
            if "broken" in found:
                return [seed, shrink.rule(found), number]
    return [None, "", len(seeds)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="1-100", help="FIRST-LAST")
    parser.add_argument("patterns", nargs="*", default=["*"])
    given = parser.parse_args()
    first, last = map(int, given.seeds.split("-"))
    names = [name for name in mutants.MUTANTS if any(fnmatch.fnmatch(name, one) for one in given.patterns)]
    killed = 0
    for name in names:
        seed, rule, number = runs.apart(kill, name, range(first, last + 1)) or [0, "the process died", 0]
        killed += seed is not None
        print(f"{'lives ' if seed is None else 'killed'}  {name:60} {number:4} seeds  {rule}", flush=True)
    print(f"{killed} of {len(names)} killed")
    return 0 if killed >= WANTED * len(names) else 1


if __name__ == "__main__":
    sys.exit(main())
