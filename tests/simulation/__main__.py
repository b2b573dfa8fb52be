"""Run worlds, one for each seed: python -m tests.simulation [--fresh N] [--jobs N] [--shrink] [SEED | FIRST-LAST]...

Prints a line of JSON for each seed. The exit status is 1 if a rule was broken in one of them; its last events are on
standard error. A seed always has the same events.
"""

from tests.simulation import world

world.prepare()

import argparse  # noqa: E402
import json  # noqa: E402
import secrets  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402

from tests.simulation import mutants, runs, shrink, site, stories  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fresh", type=int, default=0, help="run so many seeds that nobody has run before")
    parser.add_argument("--jobs", type=int, default=1, help="run so many worlds at a time")
    parser.add_argument("--shrink", action="store_true", help="look for a smaller run that breaks the same rule")
    parser.add_argument("--story", type=int, default=60, help="print so many of the last events of a run that failed")
    parser.add_argument("--statements", action="store_true", help="the story includes statements and messages")
    parser.add_argument("--mutant", choices=sorted(mutants.MUTANTS), help="bring back a fault")
    parser.add_argument("--until", action="store_true", help="stop at the first rule that is broken")
    parser.add_argument("--tour", action="store_true", help="run a world with all requests and without faults")
    parser.add_argument("--clustered", action="store_true", help="add a backend that both hosts serve at once")
    parser.add_argument("seeds", nargs="*", help="a seed, or FIRST-LAST")
    given = parser.parse_args()
    seeds = _seeds(given.seeds, given.fresh)
    if given.jobs > 1:
        return _several(given, seeds)
    if given.clustered:
        site.share()
    if given.mutant:
        mutants.MUTANTS[given.mutant]()
    broken = 0
    with runs.Runner() as runner:
        for plan in [runs.Plan.tour()] * given.tour + [runs.Plan.of(seed) for seed in seeds]:
            found = _one(given, runner, plan)
            broken += "broken" in found
            print(json.dumps(found), flush=True)
            if broken and given.until:
                break
    return 1 if broken else 0


def _one(given, runner, plan):
    """The facts of a seed's run, without its story, which is printed if it failed."""
    found = runner.run(plan)
    if "broken" in found and given.shrink:
        plan, found = shrink.shrink(plan, found, runner.run)
        print(plan, file=sys.stderr)
    story = found.pop("story")
    if "broken" in found:
        told = stories.told(story, given.statements)[-given.story:] if given.story else []
        print(found.pop("traceback", ""), *told, sep="\n", file=sys.stderr)
    return found


def _seeds(texts, fresh):
    seeds = [secrets.randbelow(2**40) for _ in range(fresh)]
    for text in texts:
        first, _, last = text.partition("-")
        seeds += range(int(first), int(last or first) + 1)
    return seeds


def _several(given, seeds):
    """Run parts of the seeds in processes beside each other. Returns the exit status."""
    more = [one for one in sys.argv[1:] if one in ("--shrink", "--statements", "--until", "--clustered")]
    more += ["--mutant", given.mutant] if given.mutant else []
    command = [sys.executable, "-W", "ignore", "-m", "tests.simulation", "--story", str(given.story), *more]
    parts = [subprocess.Popen([*command, *map(str, seeds[number::given.jobs])])
             for number in range(given.jobs) if seeds[number:]]
    return max(part.wait() for part in parts)


if __name__ == "__main__":
    sys.exit(main())
