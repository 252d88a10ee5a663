"""The parts of bench/run that measure the planes: the door, the processor, and the feed to a browser."""
import json
import subprocess
import time
import urllib.error
import urllib.request

from servers import RabbitMq, free_ports

READY_PATIENCE_S = 30
BATCH = 100           # events of a request
CONNECTIONS = 8       # requests under way
# What Tidemark may have under way without a confirm: one request of each connection.
WINDOW = BATCH * CONNECTIONS
NODE_EVENTS = 5_000
ROUNDS = 3            # of both sides in turns, and the best of each: brokers and disks vary more than what is compared
FEED_RATE = 1_000     # events a second
DATABASE = "bench"


class PlanesParts:
    """Mixed into Bench; uses its execute(), judge(), results, folder, tidemark() and stop()."""

    _broker = None

    @property
    def broker(self):
        if self._broker is None:
            self._broker = RabbitMq()
        return self._broker

    def close_planes(self):
        if self._broker:
            self._broker.close()

    # --- helpers -----------------------------------------------------------------------------------------------------
    def program(self, name, **options):
        command = [self.bin / "bench" / name]
        for option, value in options.items():
            command += [f"--{option}", value]
        return self.execute(command)

    def bare_publish(self, queue, count):
        return self.program("bench_amqp_publish", amqp=self.broker.uri, queue=queue, count=count, batch=BATCH, window=WINDOW)

    def delete_queue(self, queue):
        self.program("bench_amqp_publish", amqp=self.broker.uri, queue=queue, delete=1)

    def http_load(self, port, count, **options):
        return self.program("bench_http_load", port=port, count=count, batch=BATCH, connections=CONNECTIONS, **options)

    def write_config(self, name, text):
        path = self.folder / (name + ".toml")
        path.write_text(text)
        return path

    def start_ready(self, config, port):
        process = self.start(config)
        deadline = time.monotonic() + READY_PATIENCE_S
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                    if answer.status == 200:
                        return process
            except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
                if time.monotonic() > deadline or process.poll() is not None:
                    self.stop(process)
                    raise RuntimeError(f"{config.stem} doesn't become ready: {error}") from error
                time.sleep(0.05)

    def start_node_door(self, queue):
        """The process, and the port that it prints."""
        process = subprocess.Popen(["node", "bench/peers/node-ingest.mjs", "--amqp", self.broker.uri, "--queue", queue],
                                   stdout=subprocess.PIPE, text=True, cwd=self.root)
        line = process.stdout.readline()
        if not line.startswith("{"):
            self.stop(process)
            raise RuntimeError("node-ingest.mjs didn't start")
        return process, json.loads(line)["port"]

    def check_depth(self, queue, count):
        """What was answered with 202 is in the queue."""
        found = self.program("bench_amqp_publish", amqp=self.broker.uri, queue=queue, count=0)["depth"]
        if found != count:
            raise RuntimeError(f"{found} messages of {count} in {queue}")

    def keep_best(self, rounds):
        for name, results in rounds.items():
            self.results[name] = max(results, key=lambda result: result["events_per_second"])

    def process_config(self, queue, collection):
        return self.write_config("process", f'''
[[pipeline]]
name = "process"
on_reject = "dead_letter"
source = {{ type = "rabbitmq", uri = "{self.broker.uri}", queue = "{queue}", prefetch = 2000 }}
[pipeline.sink]
type = "mongodb"
uri = "{self.mongo}"
database = "{DATABASE}"
collection = "{collection}"
mode = "insert"
unique_key = ["raw.source", "raw.id"]
[[pipeline.transform]]
type = "enrich"
wrap = "raw"
[[pipeline.transform]]
type = "classify"
rules = \'\'\'[
  {{"when": {{"raw.data.mag": {{"$gte": 7}}}}, "set": {{"severity": "major", "category": "quake", "tags": ["felt"]}}}},
  {{"when": {{"raw.data.mag": {{"$gte": 4}}}}, "set": {{"severity": "light", "category": "quake", "tags": []}}}}]\'\'\'
otherwise = '{{"severity": "minor", "category": "quake", "tags": []}}'
[pipeline.dead_letters]
type = "rabbitmq"
uri = "{self.broker.uri}"
queue = "process.dead"
retry_queue = "{queue}"
attempts_max = 3
''')

    # --- what is measured ----------------------------------------------------------------------------------------------
    def with_door(self, queue, *loads):
        """The results of the loads, run one after the other against a door of its own before an empty queue: a quorum queue
        becomes slower with what it holds."""
        port = free_ports(1)
        config = self.write_config("ingest", f'''
[server]
listen = "127.0.0.1:{port}"
[[pipeline]]
name = "ingest"
lanes = 2
source = {{ type = "http", path = "/events" }}
[pipeline.sink]
type = "rabbitmq"
uri = "{self.broker.uri}"
exchange = "bench"
routing_key = "{queue}"
queue = "{queue}"
''')
        process = self.start_ready(config, port)
        try:
            results = [self.http_load(port, **load) for load in loads]
            self.check_depth(queue, sum(result["events"] for result in results))
        finally:
            self.stop(process)
        self.delete_queue(queue)
        return results

    def bench_ingest(self):
        count = self.events
        warm_up = {"count": count // 10, "first": 10 * count}
        self.bare_publish("ingest.bare", count // 10)  # a broker is slower with its first messages
        self.delete_queue("ingest.bare")
        rounds = {"amqp publish": [], "tidemark ingest": []}
        for i in range(ROUNDS):
            rounds["amqp publish"].append(self.bare_publish("ingest.bare", count))
            self.delete_queue("ingest.bare")
            rounds["tidemark ingest"].append(self.with_door(f"ingest.tidemark{i}", warm_up, {"count": count})[-1])
        self.keep_best(rounds)
        half = int(self.rate("tidemark ingest") / 2)
        seconds = 3 if self.args.quick else 10
        self.results["tidemark ingest, half load"] = self.with_door(
            "ingest.half", warm_up, {"count": half * seconds // BATCH * BATCH, "rate": half})[-1]
        self.judge("POST /events / bare publisher", self.rate("tidemark ingest") / self.rate("amqp publish"), "x",
                   "at least", 0.8)
        self.judge("p99 of a request at half that load", self.results["tidemark ingest, half load"]["p99_ms"], "ms",
                   "at most", 50)

        process, port = self.start_node_door("ingest.node")
        try:
            self.results["node ingest"] = self.http_load(port, min(count, NODE_EVENTS))
        finally:
            self.stop(process)
        self.delete_queue("ingest.node")

    def bench_process(self):
        count = self.events
        rounds = {"amqp to mongo": [], "tidemark process": []}
        for i in range(ROUNDS):
            queue = f"process.bare{i}"
            self.bare_publish(queue, count)
            rounds["amqp to mongo"].append(self.program(
                "bench_amqp_drain", amqp=self.broker.uri, queue=queue, mongo=self.mongo, database=DATABASE,
                collection=f"process_bare{i}", count=count))
            self.delete_queue(queue)

            queue = f"process.tidemark{i}"
            self.bare_publish(queue, count)
            rounds["tidemark process"].append(self.execute(
                self.tidemark("run", self.process_config(queue, f"process_tidemark{i}"), "--exit-when-idle", "1000",
                              "--summary-json"), {"TIDEMARK_LOG": "warn"}))
            if rounds["tidemark process"][-1]["events"] != count:
                raise RuntimeError(f"{rounds['tidemark process'][-1]['events']} of {count} events processed")
            self.delete_queue(queue)
        self.keep_best(rounds)
        self.judge("processing / bare consume and bulk insert", self.rate("tidemark process") / self.rate("amqp to mongo"),
                   "x", "at least", 0.7)

        node_count = min(count, NODE_EVENTS)
        self.bare_publish("process.node", node_count)
        self.results["node process"] = self.peer("node-process.mjs", "process_node", amqp=self.broker.uri,
                                                 queue="process.node", count=node_count)
        self.delete_queue("process.node")

    def bench_feed(self):
        port = free_ports(1)
        config = self.write_config("feed", f'''
[server]
listen = "127.0.0.1:{port}"
[[stats]]
type = "mongodb"
uri = "{self.mongo}"
database = "{DATABASE}"
collection = "feed"
[[pipeline]]
name = "observe"
sink = {{ type = "live", events_max = 10000, bytes_max = "32MiB" }}
position = {{ type = "memory", start = "now" }}
[pipeline.source]
type = "mongodb"
uri = "{self.mongo}"
database = "{DATABASE}"
collection = "feed"
filter = '[{{"$match": {{"operationType": "insert"}}}}]'
''')
        process = self.start_ready(config, port)
        try:
            self.results["feed"] = self.peer("feed.mjs", "feed", url=f"http://127.0.0.1:{port}", rate=FEED_RATE,
                                             count=FEED_RATE * (3 if self.args.quick else 20))
        finally:
            self.stop(process)
        feed = self.results["feed"]
        self.judge(f"p99 from insert to browser, at {FEED_RATE:,}/s", feed["p99_ms"], "ms", "at most", 100)
        self.judge("longest frame of the page meanwhile", feed["frame_max_ms"], "ms", "at most", 50)
