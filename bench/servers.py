"""The servers that the benchmark starts for itself: the sandbox, a private PostgreSQL with fsync on, a private RabbitMQ."""
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile
import time

START_PATIENCE_S = 20
BROKER_PATIENCE_S = 60  # an Erlang node on a busy machine
# The names of RabbitMQ's plugins, and of what only they need, begin so.
RABBITMQ_PLUGINS = ("rabbitmq_", "cow", "gun-", "jose-", "eetcd-", "prometheus-")


def free_ports(count):
    """The first of `count` consecutive loopback ports that nothing listens on."""
    base = 20000 + os.getpid() % 9000
    while True:
        sockets = []
        try:
            for port in range(base, base + count):
                probe = socket.socket()
                sockets.append(probe)
                probe.bind(("127.0.0.1", port))
            return base
        except OSError:
            base += count
        finally:
            for probe in sockets:
                probe.close()


class Sandbox:
    """bin/tidemark-sandbox; `uri` is what it prints on its first line."""

    def __init__(self, bin_dir, members=3, arguments=()):
        command = [str(bin_dir / "tidemark-sandbox"), "--members", str(members), "--port", str(free_ports(members)),
                   *arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self._process.stdout.readline()
        if "mongodb://" not in line:
            self.close()
            raise RuntimeError(f"the sandbox didn't start: {line.strip()}")
        self.uri = line[line.index("mongodb://"):].split()[0]
        self.pid = self._process.pid

    def close(self):
        self._process.kill()
        self._process.wait()


class Postgres:
    """A cluster of its own in a temporary folder. Run by root, the server runs as the packaged `postgres` user, because it
    refuses to run as root."""

    def __init__(self):
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="tidemark-pg-"))
        self._bin = newest_server()
        self._as_user = []
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self._folder, user.pw_uid, user.pw_gid)
            self._as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        data = self._folder / "data"
        self._run("initdb", "-D", str(data), "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale")
        self.port = free_ports(1)
        settings = [f"port={self.port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={self._folder}",
                    "fsync=on", "synchronous_commit=on", "max_wal_size=4GB", "shared_buffers=256MB"]
        command = [*self._as_user, str(self._bin / "postgres"), "-D", str(data)]
        for setting in settings:
            command += ["-c", setting]
        self._log = open(self._folder / "log", "w")
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log, cwd=self._folder)
        self.pid = self._process.pid
        self.uri = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self._wait()

    def _run(self, program, *arguments):
        done = subprocess.run([*self._as_user, str(self._bin / program), *arguments], cwd=self._folder,
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{program}: {done.stderr.strip()}")

    def _wait(self):
        deadline = time.monotonic() + START_PATIENCE_S
        while time.monotonic() < deadline:
            ready = subprocess.run([str(self._bin / "pg_isready"), "-q", "-d", self.uri]).returncode == 0
            if ready:
                return
            time.sleep(0.05)
        raise RuntimeError("PostgreSQL didn't start: " + (self._folder / "log").read_text()[-500:])

    def query(self, sql):
        done = subprocess.run([str(self._bin / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.uri, "-c", sql],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip())
        return done.stdout.strip()

    def close(self):
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)


class RabbitMq:
    """A broker of its own in a temporary folder, without the plugins; started as test/support/rabbitmq.h describes."""

    def __init__(self):
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="tidemark-rabbitmq-"))
        self.port = free_ports(2)
        for name in ("home", "log", "data", "applications"):
            (self._folder / name).mkdir()
        for application in sorted(pathlib.Path("/usr/lib/rabbitmq/lib").glob("*/plugins"))[-1].iterdir():
            if not application.name.startswith(RABBITMQ_PLUGINS) or application.name.startswith("rabbitmq_prelaunch"):
                (self._folder / "applications" / application.name).symlink_to(application)
        (self._folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\nlog.console = false\ndisk_free_limit.absolute = 1MB\n")
        (self._folder / "enabled_plugins").write_text("[].\n")
        self._log = open(self._folder / "output", "w")
        self._process = subprocess.Popen(
            ["erl", "-noinput", "-boot", "start_sasl", "-s", "rabbit", "boot", "+W", "w", "+B", "i", "+S", "2:2",
             "+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none", "-name", "tidemark@127.0.0.1",
             "-setcookie", "tidemark", "-erl_epmd_port", str(self.port + 1), "-syslog", "logger", "[]",
             "-syslog", "syslog_error_logger", "false", "-kernel", "prevent_overlapping_partitions", "false"],
            env={**os.environ, **self._environment()}, stdout=self._log, stderr=self._log, cwd=self._folder)
        self.uri = f"amqp://guest:guest@127.0.0.1:{self.port}/%2f"
        self._wait()

    def _environment(self):
        folder = str(self._folder)
        return {"HOME": str(self._folder / "home"), "RABBITMQ_NODENAME": "tidemark@127.0.0.1", "RABBITMQ_USE_LONGNAME": "true",
                "RABBITMQ_CONFIG_FILE": folder + "/rabbitmq.conf", "RABBITMQ_ADVANCED_CONFIG_FILE": folder + "/none",
                "RABBITMQ_CONF_ENV_FILE": folder + "/none", "RABBITMQ_GENERATED_CONFIG_DIR": folder + "/config",
                "RABBITMQ_MNESIA_BASE": folder + "/data", "RABBITMQ_MNESIA_DIR": folder + "/data/node",
                "RABBITMQ_LOG_BASE": folder + "/log", "RABBITMQ_PID_FILE": folder + "/pid",
                "RABBITMQ_ENABLED_PLUGINS_FILE": folder + "/enabled_plugins",
                "RABBITMQ_PLUGINS_DIR": folder + "/applications", "ERL_LIBS": folder + "/applications",
                "ERL_AFLAGS": "-start_epmd false", "ERL_EPMD_PORT": str(self.port + 1), "ERL_CRASH_DUMP_SECONDS": "0"}

    def _wait(self):
        deadline = time.monotonic() + BROKER_PATIENCE_S
        while time.monotonic() < deadline and self._process.poll() is None:
            # The port answers before the broker does: it closes connections until it is up, and greets a wrong header
            # with the right one from then on.
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                    probe.settimeout(1)
                    probe.sendall(b"AMQP\0\0\0\0")
                    if probe.recv(4) == b"AMQP":
                        return
            except OSError:
                pass
            time.sleep(0.05)
        self.close()
        raise RuntimeError("RabbitMQ didn't start")

    def close(self):
        self._process.kill()
        self._process.wait()
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def newest_server():
    """The folder of the newest installed server's programs: Debian keeps them off PATH."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("postgres")
    if on_path:
        return pathlib.Path(on_path).parent
    raise RuntimeError("no PostgreSQL server is installed: run make deps")
