"""What tools/run-tests runs, and in which build: docs/adr/0058-what-each-sanitizer-runs.md says why.

Every test program of a build folder runs in that build; which ones a sanitizer's build has, CMake says (cmake/targets.cmake).
What drives programs from outside is built once, in release, and runs a second time for a few lives of the sanitizer's programs.
"""
import os
import pathlib
import re
import shutil
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parent.parent
SANITIZER_FOLDERS = {"asan": "build/asan-ubsan", "tsan": "build/tsan"}
REAL_SERVER_SLOWDOWN = 3  # the chaos starts three mongods for each of its trials
SANITIZER_SLOWDOWN = 2
# Integration tests run a second time against a real replica set where there is one (test/support/sandbox.h).
REAL_SERVER = bool(os.environ.get("TIDEMARK_TEST_MONGODB_URI") or shutil.which("mongod"))
NEEDS_A_SERVER = r"integration|e2e|detection|sandbox_driver"

# The longest programs run in parts beside each other (GoogleTest's shards): nearly all they do is wait.
SHARDS = {
    "tidemark_e2e_test": 3,
    "tidemark_guard_e2e_test": 3,
    "tidemark_detection_test": 2,
    "tidemark_planes_e2e_test": 2,
}

# Lives of the whole program under a sanitizer: test program of the release build -> its cases. ASan gets what is hostile or
# copies bytes, TSan what has all threads at work and what ends them.
LIVES = {
    "asan": {
        "tidemark_chaos_e2e_test": "Chaos.LosesAndDoublesNothingOverManySeeds",
        "tidemark_e2e_test": "*KilledRelay.*:*Renames.*:BadServer.*",
        "tidemark_guard_e2e_test": "*AuditedBytes.*:AuditOf.AWriterAtFullSpeed*:Guarded.InsideTheRelay*",
        "tidemark_planes_e2e_test": "BadInput.*:WebSocketFrames.*:PlanesShutdown.*",
    },
    "tsan": {
        "tidemark_chaos_e2e_test": "Chaos.LosesAndDoublesNothingOverManySeeds",
        "tidemark_e2e_test": "*KilledRelay.*:EndToEnd.*:Patience.AStopEndsAtItsDeadline*",
        "tidemark_guard_e2e_test": "AuditOf.AWriterAtFullSpeed*:Guarded.*",
        "tidemark_planes_e2e_test": "PlanesShutdown.*:PlanesUnderFaults.*:WebSocketFrames.*",
    },
}


@dataclass
class Job:
    name: str
    kind: str              # gtest, python, node, fuzzer
    program: pathlib.Path
    folder: pathlib.Path   # whose programs are under test
    timeout_s: int = 0
    server: str = "sandbox"
    cases: str = "*"       # GoogleTest's filter
    seconds: int = 0       # of a fuzzer
    shard: int = 0         # of `shards`
    shards: int = 1


def sanitizer_of(folder):
    """asan, tsan or None, from the build folder's name."""
    for word in SANITIZER_FOLDERS:
        if word in folder.name:
            return word
    return None


def programs_in(folder):
    return sorted((folder / "bin/tests").glob("*_test"))


def jobs_of(folder, plain, timeout_s, fuzz_seconds):
    """What a folder that is built has to run. `plain`: the folder with the tests that drive programs from outside, or None."""
    word = sanitizer_of(folder)
    limit = timeout_s * (SANITIZER_SLOWDOWN if word else 1)
    jobs = []
    for program in programs_in(folder):
        shards = SHARDS.get(program.name, 1)
        for shard in range(shards):
            part = f" {shard + 1} of {shards}" if shards > 1 else ""
            jobs.append(Job(f"{folder.name}/{program.name}{part}", "gtest", program, folder, limit, shard=shard, shards=shards))
        if REAL_SERVER and not word and re.search(NEEDS_A_SERVER, program.name):
            jobs.append(Job(f"{folder.name}/{program.name} on a real server", "gtest", program, folder,
                            limit * REAL_SERVER_SLOWDOWN, "real"))
    if word and plain:
        for name, cases in LIVES[word].items():
            jobs.append(Job(f"{folder.name}/lives of {name}", "gtest", plain / "bin/tests" / name, folder, limit, cases=cases))
    if fuzz_seconds:
        for program in sorted((folder / "bin/fuzz").glob("fuzz_*")):
            jobs.append(Job(f"{folder.name}/{program.name} for {fuzz_seconds} s", "fuzzer", program, folder,
                            fuzz_seconds + 120, seconds=fuzz_seconds))
    if folder == plain:
        scripts = sorted([*ROOT.glob("tools/*_test.py"), *ROOT.glob("test/**/*_test.py"), *ROOT.glob("bench/**/*_test.py"),
                          *ROOT.glob("test/**/*_test.mjs")])
        for script in scripts:
            kind = "node" if script.suffix == ".mjs" else "python"
            jobs.append(Job(str(script.relative_to(ROOT)), kind, script, plain, timeout_s))
    return jobs
