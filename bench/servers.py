"""The servers that the benchmark starts for itself: the sandbox, and a private PostgreSQL with fsync on."""
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile
import time

START_PATIENCE_S = 20


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


def newest_server():
    """The folder of the newest installed server's programs: Debian keeps them off PATH."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("postgres")
    if on_path:
        return pathlib.Path(on_path).parent
    raise RuntimeError("no PostgreSQL server is installed: run make deps")
