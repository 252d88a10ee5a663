"""A replica set for a test script: the sandbox as 7.0 and as 4.2, and the deployment of TIDEMARK_TEST_MONGODB_URI where it
is set. @on_every_server makes a test case for each of a class of tests; a server lives as long as its case.
"""
import functools
import os
import pathlib
import queue
import subprocess
import sys
import threading
import time
import unittest

import pymongo

ROOT = pathlib.Path(os.environ.get("TIDEMARK_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[4]))
BIN_DIR = pathlib.Path(os.environ.get("TIDEMARK_BIN_DIR", ROOT / "build/release/bin"))
STEP_S_MAX = 30


def eventually(ask, what, seconds=STEP_S_MAX):
    """Asks again until the answer is truthy; the answer."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = ask()
        if answer:
            return answer
    raise AssertionError(f"not within {seconds} s: {what}")


def take(stream, count, seconds=STEP_S_MAX):
    """The next `count` events of a change stream."""
    events = []
    end = time.monotonic() + seconds
    while len(events) < count:
        event = stream.try_next()
        if event is not None:
            events.append(event)
        elif time.monotonic() > end:
            raise AssertionError(f"{len(events)} events of {count} within {seconds} s")
    return events


def start_sandbox(compat):
    """The process and the URI it printed."""
    process = subprocess.Popen([BIN_DIR / "tidemark-sandbox", "--compat", compat], stdout=subprocess.PIPE, text=True)
    first = queue.Queue()
    threading.Thread(target=lambda: first.put(process.stdout.readline().strip()), daemon=True).start()
    try:
        uri = first.get(timeout=STEP_S_MAX)
    except queue.Empty:
        uri = ""
    if not uri:
        process.kill()
        process.communicate()
        raise RuntimeError("tidemark-sandbox printed no URI")
    return process, uri


class ServerCase(unittest.TestCase):
    """A test case with a server of its own. `compat` is None for the deployment of TIDEMARK_TEST_MONGODB_URI."""
    compat = None

    @classmethod
    def setUpClass(cls):
        cls.is_sandbox = cls.compat is not None
        cls.process = None
        cls.clients = []
        cls.by_address = {}
        cls.uri = os.environ.get("TIDEMARK_TEST_MONGODB_URI")
        if cls.is_sandbox:
            cls.process, cls.uri = start_sandbox(cls.compat)
            cls.addresses = cls.uri.split("/")[2].split(",")
        try:
            cls.client = cls.connect()
            cls.version = tuple(cls.client.admin.command("buildInfo")["versionArray"][:2])
        except Exception:
            cls.tearDownClass()
            raise
        cls.db = cls.client[f"tidemark_drivers_{os.getpid()}_{cls.__name__}"]

    @classmethod
    def tearDownClass(cls):
        if not cls.is_sandbox:
            cls.client.drop_database(cls.db.name)
        for client in cls.clients:
            client.close()
        if cls.process:
            cls.process.terminate()
            cls.process.communicate(timeout=STEP_S_MAX)

    @classmethod
    def connect(cls, **options):
        """A client of the case's; it is closed with the server."""
        options.setdefault("serverSelectionTimeoutMS", STEP_S_MAX * 1000)
        # Nothing a test waits for takes longer: a deadline for every command.
        options.setdefault("heartbeatFrequencyMS", 1000)
        options.setdefault("socketTimeoutMS", STEP_S_MAX * 1000)
        client = pymongo.MongoClient(cls.uri, **options)
        cls.clients.append(client)
        return client

    @classmethod
    def member(cls, address):
        """The admin database of this member alone."""
        if address not in cls.by_address:
            cls.by_address[address] = pymongo.MongoClient(
                address, directConnection=True, serverSelectionTimeoutMS=1000, connectTimeoutMS=1000, socketTimeoutMS=20_000)
            cls.clients.append(cls.by_address[address])
        return cls.by_address[address].admin

    def members(self):
        """The sandbox's view of its members, from the first that answers."""
        for address in self.addresses:
            try:
                return self.member(address).command("sandbox", "status")["members"]
            except pymongo.errors.PyMongoError as error:
                last = error
        raise last

    def fault(self, **command):
        """Inflicted through a member that isn't the victim. `member="primary"` is the primary of this moment."""
        members = self.members()
        if command.get("member") == "primary":
            command["member"] = next(m["member"] for m in members if m["primary"])
        address = next(m["address"] for m in members if m["alive"] and not (m["paused"] or m["partitioned"] or m["primary"])
                       and m["member"] != command.get("member"))
        return self.member(address).command(command)

    def on_primary(self, *command, **fields):
        """A command to the primary of this moment, whatever the driver knows."""
        address = next(m["address"] for m in self.members() if m["primary"])
        return self.member(address).command(*command, **fields)

    def fail_commands(self, names, times=1, **data):
        """The next commands of these names fail on the primary."""
        self.on_primary("configureFailPoint", "failCommand", mode={"times": times}, data={"failCommands": names, **data})

    def code_of(self, call, *args, **kwargs):
        """The code of the error that the call raises."""
        with self.assertRaises(pymongo.errors.PyMongoError) as caught:
            call(*args, **kwargs)
        error = caught.exception
        if isinstance(error, pymongo.errors.BulkWriteError):
            return error.details["writeErrors"][0]["code"]
        return error.code


def needs_faults(test):
    @functools.wraps(test)
    def run(self):
        if not self.is_sandbox:
            self.skipTest("inflicts faults, which a deployment given by URI is spared")
        test(self)
    return run


def since(major, minor):
    def decorate(test):
        @functools.wraps(test)
        def run(self):
            if self.version < (major, minor):
                self.skipTest(f"{self.version[0]}.{self.version[1]} lacks it, {major}.{minor} has it")
            test(self)
        return run
    return decorate


def on_every_server(tests):
    """Puts a test case for each server beside the class that has the tests."""
    servers = {"Sandbox70": "7.0", "Sandbox42": "4.2"}
    if os.environ.get("TIDEMARK_TEST_MONGODB_URI"):
        servers["RealServer"] = None
    module = sys.modules[tests.__module__]
    for name, compat in servers.items():
        case = type(f"{tests.__name__}On{name}", (tests, ServerCase), {"compat": compat, "__module__": tests.__module__})
        setattr(module, case.__name__, case)
    return tests
