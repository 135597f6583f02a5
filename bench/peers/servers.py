"""servers.py - other people's queues, each started by us on a free loopback port in a directory of its own, and ended by its pid.

A server is (name, peer of bench/peers, is it durable?, a context manager that gives WHERE and the pids). "Durable" means that
a confirmed job is on disk; the others stand in the table for what that costs."""
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

POSTGRESQL = "/usr/lib/postgresql/15/bin"
RABBITMQ = "/usr/lib/rabbitmq/bin"
PACKAGES = ("beanstalkd", "gearman-job-server", "redis-server", "nats-server", "postgresql-15", "libpq-dev", "rabbitmq-server",
            "librabbitmq-dev")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def tree(pid):
    """The process and all below it."""
    found = [pid]
    for p in found:
        with contextlib.suppress(OSError), open("/proc/%d/task/%d/children" % (p, p), encoding="ascii") as f:
            found += [int(x) for x in f.read().split()]
    return found


def wait_listening(where, process, patience_s=60):
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        if process.poll() is not None:
            raise SystemExit("%s ended with %d before it listened" % (process.args[0], process.returncode))
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX if str(where)[0] == "/" else socket.AF_INET) as s:
            s.connect(where if str(where)[0] == "/" else ("127.0.0.1", int(where)))
            return
        time.sleep(0.02)
    raise SystemExit("%s does not listen on %s" % (process.args[0], where))


def stop(process, sig=signal.SIGTERM):
    if process.poll() is None:
        process.send_signal(sig)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def running(args, where, directory, sig=signal.SIGTERM, **more):
    with open(os.path.join(directory, "log"), "ab") as log:
        process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **more)
    try:
        wait_listening(where, process)
        yield process
    finally:
        stop(process, sig)


@contextlib.contextmanager
def directory_for(user=None):
    path = tempfile.mkdtemp(prefix="reeve-peer-")
    try:
        if user:
            shutil.chown(path, user, user)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def beanstalkd(*options):
    port = free_port()
    with directory_for() as d:
        binlog = ["-b", d, *options] if options != ("none",) else []
        with running(["beanstalkd", "-l", "127.0.0.1", "-p", str(port), *binlog], port, d) as p:
            yield str(port), lambda: tree(p.pid)


@contextlib.contextmanager
def redis(*options):
    with directory_for() as d:
        path = os.path.join(d, "s")
        with running(["redis-server", "--port", "0", "--unixsocket", path, "--dir", d, "--save", "", *options], path, d) as p:
            yield path, lambda: tree(p.pid)


@contextlib.contextmanager
def gearmand():
    port = free_port()
    with directory_for() as d:
        with running(["gearmand", "-L", "127.0.0.1", "-p", str(port), "-l", os.path.join(d, "log"), "-P", os.path.join(d, "pid")], port, d) as p:
            yield str(port), lambda: tree(p.pid)


@contextlib.contextmanager
def nats():
    port = free_port()
    with directory_for() as d:
        with running(["nats-server", "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", d], port, d) as p:
            time.sleep(0.3)  # it listens before JetStream is ready, and tells nobody
            yield str(port), lambda: tree(p.pid)


@contextlib.contextmanager
def postgresql():
    """It refuses to run as root: as the user that its package made."""
    user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
    with directory_for("postgres" if user else None) as d:
        data = os.path.join(d, "data")
        subprocess.run([POSTGRESQL + "/initdb", "-D", data, "-A", "trust", "-U", "postgres", "--no-sync"], check=True, cwd=d,
                       stdout=subprocess.DEVNULL, env={"PATH": os.environ["PATH"], "LC_ALL": "C"}, **user)
        args = [POSTGRESQL + "/postgres", "-D", data, "-k", d, "-c", "listen_addresses=", "-c", "shared_buffers=256MB"]
        with running(args, os.path.join(d, ".s.PGSQL.5432"), d, signal.SIGINT, cwd=d, **user) as p:
            while subprocess.run([POSTGRESQL + "/pg_isready", "-q", "-h", d], check=False).returncode != 0:
                time.sleep(0.02)
            yield d, lambda: tree(p.pid)


@contextlib.contextmanager
def rabbitmq():
    """Erlang's port mapper is started before it, since one that the node starts would outlive it."""
    port, distribution, mapper = free_port(), free_port(), free_port()
    with directory_for() as d:
        for name, text in (("plugins", "[].\n"), ("rabbitmq.conf", "listeners.tcp.1 = 127.0.0.1:%d\n" % port)):
            with open(os.path.join(d, name), "w", encoding="ascii") as f:
                f.write(text)
        env = {"PATH": os.environ["PATH"], "HOME": d, "LC_ALL": "C.UTF-8", "RABBITMQ_NODENAME": "bench@localhost",
               "RABBITMQ_MNESIA_BASE": d + "/mnesia", "RABBITMQ_LOG_BASE": d + "/log.d", "RABBITMQ_CONFIG_FILE": d + "/rabbitmq.conf",
               "RABBITMQ_CONF_ENV_FILE": "/dev/null", "RABBITMQ_ENABLED_PLUGINS_FILE": d + "/plugins", "RABBITMQ_DIST_PORT": str(distribution),
               "RABBITMQ_PID_FILE": d + "/pid", "ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": str(mapper),
               "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}"}
        with running(["epmd", "-port", str(mapper), "-address", "127.0.0.1"], mapper, d):
            with running([RABBITMQ + "/rabbitmq-server"], port, d, env=env) as p:
                time.sleep(2)  # the listener is up before the quorum queues' machinery
                yield str(port), lambda: tree(p.pid)


SERVERS = (
    ("redis, AOF always", "redis", True, lambda: redis("--appendonly", "yes", "--appendfsync", "always")),
    ("PostgreSQL, SKIP LOCKED", "postgresql", True, postgresql),
    ("beanstalkd, fsync each", "beanstalkd", True, lambda: beanstalkd("-f", "0")),
    ("RabbitMQ, quorum queue", "rabbitmq", True, rabbitmq),
    ("NATS JetStream, file", "nats", False, nats),
    ("beanstalkd, fsync each 50 ms", "beanstalkd", False, beanstalkd),
    ("beanstalkd, in memory", "beanstalkd", False, lambda: beanstalkd("none")),
    ("redis, in memory", "redis", False, lambda: redis("--appendonly", "no")),
    ("gearmand, in memory", "gearmand", False, gearmand),
)


def install():
    """The packages that are missing, and the driver. Debian's start-up of services is held back: we start them ourselves."""
    missing = [p for p in PACKAGES if subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status}", p], stdout=subprocess.PIPE,
                                                     stderr=subprocess.DEVNULL, text=True, check=False).stdout != "installed"]
    if not missing:
        return
    policy = "/usr/sbin/policy-rc.d"
    ours = not os.path.exists(policy)
    if ours:
        with open(policy, "w", encoding="ascii") as f:
            f.write("#!/bin/sh\nexit 101\n")
        os.chmod(policy, 0o755)
    try:
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    finally:
        if ours:
            os.unlink(policy)


def build(path):
    """Compiles the driver to `path`."""
    here = os.path.dirname(os.path.abspath(__file__))
    sources = [os.path.join(here, f) for f in sorted(os.listdir(here)) if f.endswith(".c")]
    subprocess.run(["cc", "-O2", "-o", path, *sources, "-I/usr/include/postgresql", "-lpq", "-lrabbitmq", "-lpthread"], check=True)
