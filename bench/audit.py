"""The part of bench/run that measures the audit: what comparing both ends costs, beside reading them and no more."""
import json
import os
import pathlib
import sqlite3
import subprocess
import time

from planes import ROUNDS

PATIENCE_S = 600
WRONG_OF = 100  # one row in so many is deleted, changed or followed by an invented one, in turns
MEMORY_MB = 128  # of the whole process; the default of `memory` is half of it


class AuditParts:
    """Mixed into Bench; uses its load(), catch_up(), peer programs, judge(), results, folder, sandbox and postgres."""

    # --- helpers -----------------------------------------------------------------------------------------------------
    def timed(self, what, count, *command):
        """From exec to exit, with the CPU time of the program and of the servers it asks; and what it printed."""
        said = self.folder / "said"
        servers = self.servers_cpu_s()
        started = time.monotonic()
        with open(said, "w") as out, open(str(said) + ".error", "w") as error:
            process = subprocess.Popen(["timeout", str(PATIENCE_S), *[str(part) for part in command]], stdout=out,
                                       stderr=error, env={**os.environ, "TIDEMARK_LOG": "warn"})
            _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        text = said.read_text()
        if process.returncode != 0 or not text.startswith("{"):
            raise RuntimeError(f"{what} ended with {process.returncode}: "
                               f"{(pathlib.Path(str(said) + '.error').read_text() or text).strip()[-600:]}")
        cpu = usage.ru_utime + usage.ru_stime
        return {"events": count, "seconds": seconds, "events_per_second": count / seconds, "cpu_seconds": cpu,
                "servers_cpu_seconds": self.servers_cpu_s() - servers, "cpu_us_per_event": 1e6 * cpu / count,
                "peak_rss_mb": usage.ru_maxrss / 1024}, json.loads(text)

    def servers_cpu_s(self):
        """Of the sandbox, and of PostgreSQL with the sessions that have ended."""
        roots = [server.pid for server in (self.sandbox, self._postgres) if server]
        ticks = 0
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:  # it has just ended
                continue
            if int(folder.name) in roots:
                ticks += sum(int(field) for field in fields[11:15])
            elif int(fields[1]) in roots:
                ticks += sum(int(field) for field in fields[11:13])
        return ticks / os.sysconf("SC_CLK_TCK")

    def audit(self, what, config, count, *options):
        return self.timed(what, count, *self.tidemark("audit", config, "--json", *options))

    def clean_audit(self, what, config, count, kind):
        result, said = self.audit(what, config, count, "--kind", kind)
        found = said["audits"][0]
        if not found["clean"] or found["source_documents"] != count or found["destination_documents"] != count:
            raise RuntimeError(f"{what} of two equal ends of {count}: {json.dumps(found)[:600]}")
        return result

    def full_scan(self, count, where):
        return self.timed("the full scan", count, self.bin / "bench/bench_full_scan", "--mongo", self.mongo, "--database",
                          "bench", "--collection", "audited", "--table", "audited", "--count", count, *where)[0]

    @staticmethod
    def damage(count):
        """(deleted, changed, invented), and the SQL for it, which both servers know; the ids are 0 to `count` - 1."""
        def chosen(group):
            return f"CAST(substr(id, 17, length(id) - 18) AS integer) % {3 * WRONG_OF} = {group * WRONG_OF}"
        return [len(range(group * WRONG_OF, count, 3 * WRONG_OF)) for group in range(3)], [
            f"DELETE FROM audited WHERE {chosen(0)}",
            f"""UPDATE audited SET doc = '{{"_id":"changed"}}' WHERE {chosen(1)}""",
            f"""INSERT INTO audited SELECT '{{"$numberLong":"-' || substr(id, 17), doc, token, cluster_time FROM audited
                WHERE {chosen(2)}"""]

    # --- what is measured ----------------------------------------------------------------------------------------------
    def bench_audit(self):
        count = 5 * self.events
        token = self.load("audited", count, dated=1)
        path = self.folder / "audited.db"

        def in_sqlite(statement):
            database = sqlite3.connect(path)
            with database:
                database.execute(statement)
            database.close()

        self.audit_end("sqlite", count, token, {"type": "sqlite", "path": str(path), "table": "audited", "mode": "current"},
                       ["--sqlite", path], in_sqlite)
        self.audit_end("postgres", count, token, self.postgres_sink("audited"), ["--postgres", self.postgres.uri],
                       self.postgres.query)

    def audit_end(self, end, count, token, sink, where, execute):
        self.results[f"audited {end}"] = self.catch_up(f"audited_{end}", "audited", token, sink)
        self.check_complete(f"audited {end}", count)
        config = self.folder / f"audited_{end}.toml"
        config.write_text(config.read_text() + f'[[guard.audit]]\npipeline = "audited_{end}"\nbucket_field = "at"\n'
                          f'[[guard.audit]]\npipeline = "audited_{end}"\nkind = "count"\nbucket_field = "at"\n')
        names = [f"full scan {end}", f"audit checksum {end}", f"audit count {end}"]
        rounds = {name: [] for name in names}
        for _ in range(ROUNDS):
            rounds[names[0]].append(self.full_scan(count, where))
            rounds[names[1]].append(self.clean_audit(names[1], config, count, "checksum"))
            rounds[names[2]].append(self.clean_audit(names[2], config, count, "count"))
        self.keep_best(rounds)
        scan, checksum, counted = [self.results[name] for name in names]
        self.judge(f"checksum audit of {count:,}, {end} / full scan", checksum["seconds"] / scan["seconds"], "x", "at most",
                   5)
        if self.sandbox:  # a server elsewhere doesn't tell what it used
            self.judge(f"checksum audit of {count:,}, {end} / full scan, CPU", all_cpu(checksum) / all_cpu(scan), "x",
                       "at most", 4)
        self.judge(f"count audit of {count:,}, {end} / full scan", counted["seconds"] / scan["seconds"], "x", "at most",
                   2.5)
        self.judge(f"checksum audit of {count:,}, {end}: peak memory", checksum["peak_rss_mb"], "MB", "at most", MEMORY_MB)
        self.repair_end(end, count, config, execute)

    def repair_end(self, end, count, config, execute):
        (missing, different, extra), statements = self.damage(count)
        for statement in statements:
            execute(statement)
        name = f"audit --repair {end}"
        self.results[name], said = self.audit(name, config, count, "--kind", "checksum", "--repair")
        found = said["audits"][0]
        if [found[key] for key in ("missing", "different", "extra")] != [missing, different, extra] or \
                not found["repair"]["complete"]:
            found["differences"] = []
            raise RuntimeError(f"{name} of {missing}, {different} and {extra}: {json.dumps(found)[:600]}")
        self.clean_audit(f"the audit after the repair, {end},", config, count, "checksum")
        self.judge(f"audit --repair of {missing + different + extra:,} in {count:,}, {end}", self.results[name]["seconds"],
                   "s", "at most", 60)
        if self.sandbox:
            self.judge(f"audit --repair, {end} / checksum audit, CPU",
                       all_cpu(self.results[name]) / all_cpu(self.results[f"audit checksum {end}"]), "x", "at most", 4)
        self.judge(f"audit --repair, {end}: peak memory", self.results[name]["peak_rss_mb"], "MB", "at most", MEMORY_MB)

    def print_audits(self):
        audits = {name: result for name, result in self.results.items() if "servers_cpu_seconds" in result}
        if audits:
            print(f"\n{'audit':26}{'documents':>10}{'seconds':>10}{'CPU s':>9}{'servers CPU s':>15}{'peak MB':>9}")
        for name, result in audits.items():
            print(f"{name:26}{result['events']:>10,}{result['seconds']:>10.2f}{result['cpu_seconds']:>9.2f}"
                  f"{result['servers_cpu_seconds']:>15.2f}{result['peak_rss_mb']:>9.1f}")


def all_cpu(result):
    return result["cpu_seconds"] + result["servers_cpu_seconds"]
