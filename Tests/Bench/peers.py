"""The servers we are measured beside, each with a configuration of its own in a scratch folder, one worker, no logs."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

#: The server under measurement has this core, its load the other one.
SERVER_CORE, LOAD_CORE = "0", "1"
TICK = os.sysconf("SC_CLK_TCK")


def connects(host, port):
    try:
        socket.create_connection((host, port), 1).close()
        return True
    except OSError:
        return False


class Peer:
    """A process on the server's core, or another; `cpu()` is what it and its children have used, in seconds."""

    def __init__(self, name, command, door, directory, ending=None, core=SERVER_CORE, **options):
        self.name = name
        self.ending = ending
        self.directory = pathlib.Path(directory)
        log = open(self.directory / "log", "ab")
        self.process = subprocess.Popen(
            ["taskset", "-c", core, *map(str, command)], stdin=subprocess.PIPE, stdout=log, stderr=log, **options)
        deadline = time.monotonic() + 20
        while not connects(*door):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{name} did not start:\n" + (self.directory / "log").read_text()[-2000:])
            time.sleep(0.05)

    def family(self):
        found, waiting = [], [self.process.pid]
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            try:
                for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                    waiting += [int(child) for child in (task / "children").read_text().split()]
            except OSError:
                continue
        return found

    def cpu(self):
        total = 0
        for pid in self.family():
            try:
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            # utime, stime and those of children that have ended.
            total += sum(int(field) for field in fields[11:15])
        return total / TICK

    def anonymous(self):
        """RssAnon of all its processes, in MiB."""
        total = 0
        for pid in self.family():
            for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("RssAnon:"):
                    total += int(line.split()[1])
        return total / 1024

    def stop(self):
        if self.process.poll() is None:
            if self.ending:
                subprocess.run(self.ending, capture_output=True)
            else:
                self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def nginx(directory, port, body):
    (directory / "nginx.conf").write_text(f"""
worker_processes 1; daemon off; pid {directory}/pid; error_log {directory}/error.log;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 1000000000; default_type application/json;
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 '{body}'; }} }} }}
""")
    return Peer("nginx", ["nginx", "-p", directory, "-c", directory / "nginx.conf"], ("127.0.0.1", port), directory)


def nsd(directory, port, zone):
    (directory / "zone").write_text(zone)
    (directory / "nsd.conf").write_text(f"""
server:
  ip-address: 127.0.0.1@{port}
  server-count: 1
  username: ""
  zonesdir: "{directory}"
  pidfile: "{directory}/pid"
  zonelistfile: "{directory}/list"
  xfrdfile: "{directory}/xfrd"
  logfile: "{directory}/nsd.log"
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: "bench.example"
  zonefile: "zone"
""")
    return Peer("NSD", ["nsd", "-d", "-c", directory / "nsd.conf"], ("127.0.0.1", port), directory)


def opentracker(directory, port, hashes):
    # Debian's tracks what is listed, from a file within the folder that it goes into; and it does not stay root.
    (directory / "list").write_text("".join(f"{hash.hex()}\n" for hash in hashes))
    os.chmod(directory, 0o777)
    return Peer(
        "opentracker", ["opentracker", "-i", "127.0.0.1", "-p", port, "-P", port, "-d", directory, "-u", "nobody", "-w", "list"],
        ("127.0.0.1", port), directory)


def knot(directory, port, zone):
    (directory / "zone").write_text(zone)
    (directory / "knot.conf").write_text(f"""
server:
  rundir: "{directory}"
  listen: 127.0.0.1@{port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: "{directory}"
log:
  - target: "{directory}/knot.log"
    any: error
zone:
  - domain: bench.example
    file: "{directory}/zone"
    storage: "{directory}"
""")
    return Peer("Knot", ["knotd", "-c", directory / "knot.conf"], ("127.0.0.1", port), directory)


def unbound(directory, port, upstream):
    (directory / "unbound.conf").write_text(f"""
server:
  interface: 127.0.0.1
  port: {port}
  num-threads: 1
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{directory}"
  pidfile: "{directory}/pid"
  use-syslog: no
  logfile: "{directory}/unbound.log"
  do-not-query-localhost: no
  access-control: 127.0.0.0/8 allow
  module-config: "iterator"
  prefetch: no
remote-control:
  control-enable: no
stub-zone:
  name: "bench.example"
  stub-addr: {upstream.replace(":", "@")}
""")
    return Peer("Unbound", ["unbound", "-d", "-c", directory / "unbound.conf"], ("127.0.0.1", port), directory)


def postfix(directory, port):
    """Postfix as Debian has it, delivering to a Maildir of a virtual mailbox, with its default fsync."""
    if os.geteuid() != 0:
        raise RuntimeError("Postfix starts only as root")
    configuration = directory / "etc"
    configuration.mkdir()
    for name in ["queue", "data", "mail"]:
        (directory / name).mkdir()
    # Its parts drop to the user postfix, who must be able to reach the folders.
    for path in [directory, *directory.parents]:
        if str(path).startswith("/tmp/") or str(path).startswith("/var/tmp/"):
            os.chmod(path, os.stat(path).st_mode | 0o055)
    shutil.chown(directory / "data", "postfix")
    shutil.chown(directory / "mail", "nobody")
    master = pathlib.Path("/etc/postfix/master.cf")
    if not master.exists():
        master = pathlib.Path("/usr/share/postfix/master.cf.dist")
    services = []
    for line in master.read_text().splitlines():
        if line.startswith("#") or not line.strip():
            continue
        fields = line.split()
        if not line[0].isspace():
            if fields[0] == "smtp" and fields[1] == "inet":
                fields[0] = f"127.0.0.1:{port}"
            fields[4] = "n"
            line = " ".join(fields)
        services.append(line)
    (configuration / "master.cf").write_text("\n".join(services) + "\n")
    (configuration / "main.cf").write_text(f"""
compatibility_level = 3.6
queue_directory = {directory}/queue
data_directory = {directory}/data
maillog_file = /dev/stdout
myhostname = bench.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_client_connection_count_limit = 0
virtual_mailbox_domains = bench.example
virtual_mailbox_base = {directory}/mail
virtual_mailbox_maps = static:bob/
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
smtpd_relay_restrictions = permit_mynetworks, reject
alias_maps =
alias_database =
""")
    return Peer(
        "Postfix", ["postfix", "-c", configuration, "start-fg"], ("127.0.0.1", port), directory,
        ["postfix", "-c", configuration, "stop"])
