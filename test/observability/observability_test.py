#!/usr/bin/env python3
"""examples/observability against the program: the rules do what they say, and everything they and the dashboard name is
there in what a server answers at /metrics.

The metrics come from two places: a server with something behind every figure (tidemark_http_test), and a relay that runs
on a sandbox, scraped by a Prometheus with the example's own configuration. Needs Debian's package `prometheus`."""
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = pathlib.Path(os.environ.get("TIDEMARK_BIN_DIR", ROOT / "build/dev/bin"))
EXAMPLES = ROOT / "examples/observability"
RULES = EXAMPLES / "tidemark.rules.yml"
CONFIG = EXAMPLES / "prometheus.yml"
DASHBOARD = EXAMPLES / "grafana-dashboard.json"
RULES_TEST = ROOT / "test/observability/rules_test.yml"
PATIENCE_S = 60
# Of Prometheus itself, for each target.
ALWAYS_THERE = {"up"}


def program(name):
    found = shutil.which(name)
    if found is None:
        raise AssertionError(f"there is no {name} on PATH: run tools/deps")
    return found


def promtool(*arguments, text=None):
    done = subprocess.run([program("promtool"), *map(str, arguments)], input=text, capture_output=True, text=True, timeout=60,
                          cwd=ROOT)
    return done.returncode, done.stdout + done.stderr


def names_in_expression(expression):
    """What looks like a metric of ours, or of the process."""
    without_text = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
    return set(re.findall(r"\b(?:pipeline:)?(?:tidemark|process)_[a-z0-9_:]+|\bup\b(?=\{)", without_text))


def families_of(page):
    """Every name a query may use, from the text format."""
    names = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", page, re.M):
        names.add(name)
        if kind == "histogram":
            names |= {f"{name}_{end}" for end in ("bucket", "sum", "count")}
    return names


def rule_fields(name):
    """The values of `name:` in the rules file, blocks of several lines included."""
    values, lines = [], RULES.read_text().splitlines()
    for at, line in enumerate(lines):
        match = re.match(rf"^(\s*)(?:- )?{name}: (.*)$", line)
        if not match:
            continue
        value = match[2]
        if value == "|":
            depth = len(line) - len(line.lstrip())
            block = []
            for more in lines[at + 1:]:
                if len(more) - len(more.lstrip()) <= depth:
                    break
                block.append(more.strip())
            value = " ".join(block)
        values.append(value)
    return values


def dashboard():
    return json.loads(DASHBOARD.read_text())


def expressions_of_dashboard():
    """(where, PromQL) of every panel and annotation, the dashboard's variables filled in."""
    found = [(f"annotation {one['name']}", one["expr"]) for one in dashboard()["annotations"]["list"]]
    for panel in dashboard()["panels"]:
        found += [(f"panel {panel['title']} {target['refId']}", target["expr"]) for target in panel.get("targets", [])]
    variables = {"$__rate_interval": "1m", "$job": ".*", "$instance": ".*", "$pipeline": ".*"}
    filled = []
    for where, expression in found:
        for name, value in variables.items():
            expression = expression.replace(name, value)
        filled.append((where, expression))
    return filled


def whole_page():
    """The answer of a server that has something behind every figure."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "metrics.txt"
        done = subprocess.run([BIN / "tests/tidemark_http_test", "--gtest_filter=Metrics.TheWholePageHasAFamilyOfEachKind"],
                              env={**os.environ, "TIDEMARK_METRICS_FILE": str(path)}, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise AssertionError(done.stdout + done.stderr)
        return path.read_text()


class Exposition(unittest.TestCase):
    def test_promtool_finds_nothing_to_say_of_a_servers_answer(self):
        code, said = promtool("check", "metrics", text=whole_page())
        self.assertEqual((code, said.strip()), (0, ""))

    def test_promtool_would_say_it(self):
        code, said = promtool("check", "metrics", text="# TYPE tidemark_x counter\ntidemark_x 1\n")
        self.assertNotEqual(code, 0)
        self.assertIn("_total", said)


class Rules(unittest.TestCase):
    def test_rules_and_configuration_are_valid(self):
        for command in (("rules", RULES), ("config", CONFIG)):
            code, said = promtool("check", *command)
            self.assertEqual(code, 0, said)
            self.assertIn("SUCCESS", said)

    def test_every_rule_does_what_its_unit_test_says(self):
        code, said = promtool("test", "rules", RULES_TEST)
        self.assertEqual(code, 0, said)

    def test_every_alert_is_seen_silent_and_firing(self):
        tests = RULES_TEST.read_text()
        for alert in rule_fields("alert"):
            self.assertRegex(tests, rf"alertname: {alert}\n\s+exp_alerts:\n\s+- exp_labels", f"{alert} never fires in a test")
            self.assertRegex(tests, rf"eval_time: 1h, alertname: {alert}\}}", f"{alert} isn't among a healthy hour's")

    def test_every_alert_has_a_severity_and_says_what_to_do(self):
        alerts = rule_fields("alert")
        self.assertEqual(len(alerts), len(set(alerts)))
        for field in ("labels", "summary", "action"):
            self.assertEqual(len(rule_fields(field)), len(alerts), field)
        for labels in rule_fields("labels"):
            self.assertRegex(labels, r"^\{severity: (warning|critical)\}$")

    def test_every_metric_of_the_rules_exists(self):
        known = families_of(whole_page()) | set(rule_fields("record")) | ALWAYS_THERE
        expressions = rule_fields("expr")
        self.assertEqual(len(expressions), len(rule_fields("alert")) + len(rule_fields("record")))
        for expression in expressions:
            names = names_in_expression(expression)
            self.assertTrue(names, expression)
            self.assertEqual(names - known, set(), expression)


class Dashboard(unittest.TestCase):
    def test_its_parts_are_what_grafana_takes(self):
        board = dashboard()
        self.assertIsNone(board["id"])
        self.assertGreaterEqual(board["schemaVersion"], 36)
        kinds = {"row", "stat", "timeseries", "table", "state-timeline"}
        for panel in board["panels"]:
            self.assertIn(panel["type"], kinds)
            self.assertTrue(panel["title"])
            if panel["type"] == "row":
                self.assertFalse(panel["collapsed"])
                continue
            self.assertTrue(panel["description"], panel["title"])
            self.assertTrue(panel["targets"], panel["title"])
            letters = [target["refId"] for target in panel["targets"]]
            self.assertEqual(len(letters), len(set(letters)), panel["title"])
            for target in panel["targets"]:
                self.assertTrue(target["expr"].strip(), panel["title"])

    def test_panels_have_ids_of_their_own_and_do_not_overlap(self):
        panels = dashboard()["panels"]
        ids = [panel["id"] for panel in panels]
        self.assertEqual(len(ids), len(set(ids)))
        taken = {}
        for panel in panels:
            place = panel["gridPos"]
            self.assertLessEqual(place["x"] + place["w"], 24, panel["title"])
            for x in range(place["x"], place["x"] + place["w"]):
                for y in range(place["y"], place["y"] + place["h"]):
                    self.assertNotIn((x, y), taken, f"{panel['title']} lies on {taken.get((x, y))}")
                    taken[x, y] = panel["title"]

    def test_the_data_source_is_a_variable_everywhere(self):
        board = dashboard()
        self.assertEqual(board["templating"]["list"][0]["type"], "datasource")
        sources = re.findall(r'"datasource": \{\s*"type": "(\w+)",\s*"uid": "([^"]*)"', DASHBOARD.read_text())
        self.assertEqual(set(sources), {("prometheus", "${datasource}")})
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                self.assertIn("datasource", target)

    def test_every_metric_and_variable_it_names_exists(self):
        known = families_of(whole_page()) | set(rule_fields("record"))
        variables = {one["name"] for one in dashboard()["templating"]["list"]} | {"__rate_interval", "__all"}
        text = DASHBOARD.read_text()
        self.assertEqual(set(re.findall(r"\$\{?(\w+)", text)) - variables, set())
        for where, expression in expressions_of_dashboard():
            names = names_in_expression(expression)
            self.assertTrue(names, where)
            self.assertEqual(names - known, set(), where)
        for variable in dashboard()["templating"]["list"][1:]:
            self.assertEqual(names_in_expression(variable["definition"]) - known, set(), variable["name"])

    def test_every_query_is_promql(self):
        rules = [{"record": f"panel:{at}", "expr": expression} for at, (_, expression) in enumerate(expressions_of_dashboard())]
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, file)  # JSON is YAML
            file.flush()
            code, said = promtool("check", "rules", file.name)
        self.assertEqual(code, 0, said)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fetch(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read().decode()
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None


RELAY = """
[server]
listen = "127.0.0.1:{port}"
metrics_open = true

[[pipeline]]
name = "orders"
[pipeline.source]
type = "mongodb"
uri = "{uri}"
database = "shop"
collection = "orders"
full_document = "update_lookup"
[pipeline.sink]
type = "sqlite"
path = "{folder}/orders.db"
table = "orders"
mode = "current"

[guard]
interval = "1s"
[[guard.audit]]
pipeline = "orders"
every = "2s"
"""


class Run(unittest.TestCase):
    """A relay, and a Prometheus that watches it by the example's own files."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.relay_port, self.prometheus_port = free_port(), free_port()
        sandbox = self.start([BIN / "tidemark-sandbox"], "sandbox", stdout=subprocess.PIPE)
        uri = re.search(r"mongodb://\S+", sandbox.stdout.readline())[0]
        relay = pathlib.Path(self.folder.name) / "relay.toml"
        relay.write_text(RELAY.format(port=self.relay_port, uri=uri, folder=self.folder.name))
        done = subprocess.run([BIN / "tidemark", "position", "init", relay, "orders", "--from", "now"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.start([BIN / "tidemark", "run", relay], "relay")

    def start(self, command, name, stdout=None):
        log = open(pathlib.Path(self.folder.name) / f"{name}.log", "w", encoding="utf-8")
        self.addCleanup(log.close)
        process = subprocess.Popen([str(part) for part in command], stdout=stdout or log, stderr=log, stdin=subprocess.DEVNULL,
                                   text=True, cwd=self.folder.name)

        def end():
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout:
                process.stdout.close()
        self.addCleanup(end)
        return process

    def log_of(self, name):
        return (pathlib.Path(self.folder.name) / f"{name}.log").read_text()[-3000:]

    def eventually(self, ask, what, name):
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            found = ask()
            if found:
                return found
            time.sleep(0.1)
        raise AssertionError(f"not within {PATIENCE_S} s: {what}\n{self.log_of(name)}")

    def start_prometheus(self):
        """The example's configuration, but for the address and the pace."""
        text = CONFIG.read_text()
        for old, new in (("127.0.0.1:8321", f"127.0.0.1:{self.relay_port}"), ("interval: 15s", "interval: 1s"),
                         ("- tidemark.rules.yml", f"- {RULES}")):
            self.assertIn(old, text)
            text = text.replace(old, new)
        path = pathlib.Path(self.folder.name) / "prometheus.yml"
        path.write_text(text)
        self.start([program("prometheus"), f"--config.file={path}", f"--web.listen-address=127.0.0.1:{self.prometheus_port}",
                    f"--storage.tsdb.path={self.folder.name}/tsdb", "--log.level=warn"], "prometheus")

    def ask_prometheus(self, path, **fields):
        text = fetch(f"http://127.0.0.1:{self.prometheus_port}/api/v1/{path}?{urllib.parse.urlencode(fields)}")
        if text is None:
            return None
        answer = json.loads(text)
        self.assertEqual(answer["status"], "success", text)
        return answer["data"]

    def count_of(self, expression):
        data = self.ask_prometheus("query", query=expression)
        return len(data["result"]) if data else 0

    def test_a_prometheus_with_the_examples_sees_a_relay_and_its_guard(self):
        url = f"http://127.0.0.1:{self.relay_port}/metrics"
        page = self.eventually(lambda: (text := fetch(url)) and "tidemark_audit_age_seconds" in text and text,
                               "an audit's age among the relay's metrics", "relay")
        code, said = promtool("check", "metrics", text=page)
        self.assertEqual((code, said.strip()), (0, ""))
        self.assertEqual(families_of(page) - families_of(whole_page()), set(), "unknown to the other tests")

        self.start_prometheus()
        self.eventually(lambda: self.count_of("pipeline:tidemark_oplog_window_left:ratio"), "a recorded figure", "prometheus")
        self.eventually(lambda: self.count_of("pipeline:tidemark_audit_wrong_documents:sum"), "the audits' sum", "prometheus")
        self.assertEqual(self.count_of('up{job="tidemark"} == 1'), 1)
        for group in self.ask_prometheus("rules")["groups"]:
            for rule in group["rules"]:
                self.assertIn(rule["health"], ("ok", "unknown"), rule)
        for where, expression in expressions_of_dashboard():
            self.assertIsNotNone(self.ask_prometheus("query", query=expression), where)
        for expression in ("tidemark_pipeline_lag_seconds", "tidemark_guard_look_age_seconds", "tidemark_audit_source_documents"):
            self.assertEqual(self.count_of(expression), 1, expression)
        self.assertEqual([alert["labels"]["alertname"] for alert in self.ask_prometheus("alerts")["alerts"]
                          if alert["state"] == "firing"], [])


if __name__ == "__main__":
    unittest.main()
