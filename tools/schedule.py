"""When tools/run-tests starts what: as much at once as the cores can compute, so that what only waits runs beside what computes.

A program's weight is the share of a core it took the last time (CPU seconds through seconds). tools/times.json holds what was
measured on an idle machine of two cores, build/times.json what this machine measured last.
"""
import json
from dataclasses import dataclass

UNKNOWN_SECONDS = 30.0
UNKNOWN_WEIGHT = 0.6
LONGEST_SHOWN = 12
WEIGHT_MIN = 0.05  # a process that waits still costs something


@dataclass
class Cost:
    seconds: float = UNKNOWN_SECONDS
    cpu: float = UNKNOWN_SECONDS * UNKNOWN_WEIGHT

    @property
    def weight(self):
        return max(WEIGHT_MIN, self.cpu / self.seconds) if self.seconds > 0.5 else 1.0


def read_costs(*files):
    """By name of the program; of a name that several files have, the last one's. A file that isn't there has none."""
    costs = {}
    for file in files:
        if file.exists():
            costs.update({name: Cost(*pair) for name, pair in json.loads(file.read_text()).items()})
    return costs


def write_costs(file, costs):
    lines = [f"  {json.dumps(name)}: [{cost.seconds:.1f}, {cost.cpu:.1f}]" for name, cost in sorted(costs.items())]
    file.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def choose(waiting, running, costs, cores, slots):
    """The one of `waiting` to start now beside `running` (both: names), or None: the longest of those that still fit.

    One always runs, however heavy it is."""
    if len(running) >= slots:
        return None
    busy = sum(costs.get(name, Cost()).weight for name in running)
    for name in sorted(waiting, key=lambda name: -costs.get(name, Cost()).seconds):
        if not running or busy + costs.get(name, Cost()).weight <= cores:
            return name
    return None


def by_build(costs):
    """(build, programs, seconds, CPU seconds): what stands before the first slash of a name, and the scripts together."""
    sums = {}
    for name, cost in costs.items():
        build = "scripts" if name.endswith((".py", ".mjs")) else name.split("/")[0]
        count, seconds, cpu = sums.get(build, (0, 0.0, 0.0))
        sums[build] = (count + 1, seconds + cost.seconds, cpu + cost.cpu)
    return [(build, *sums[build]) for build in sorted(sums, key=lambda build: -sums[build][1])]


def table(costs, longest):
    """Markdown: a row for each build, then the programs that took the longest."""
    rows = ["| build | programs | seconds, one after the other | of it CPU |", "|---|---|---|---|"]
    rows += [f"| {build} | {count} | {seconds:.0f} | {cpu:.0f} |" for build, count, seconds, cpu in by_build(costs)]
    rows += ["", "| program | seconds | of it CPU |", "|---|---|---|"]
    slow = sorted(costs.items(), key=lambda item: -item[1].seconds)[:longest]
    rows += [f"| {name} | {cost.seconds:.0f} | {cost.cpu:.0f} |" for name, cost in slow]
    return "\n".join(rows)
