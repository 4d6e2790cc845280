"""Measures each service beside its peers from Debian, in one run on the same cores: medians of alternating rounds.

`make bench` prints a table, writes .build/bench.json, and, when all of it was measured, puts it between the README's markers.
`python3 Tests/Bench/bench.py --short [http dns resolver smtp tracker peer swarm idle world]` is quick and leaves the README alone.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

import announces
import filling
import peers
import transfers

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("UTOPIA_BIN", ROOT / ".build" / "release"))
TOKEN = "bench"
NAMES, ABSENT = 1000, 200


def call(url, method="GET", body=None, kind="application/json"):
    request = urllib.request.Request(
        url, method=method, data=body if body is None or isinstance(body, bytes) else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": kind})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        return answer.read()


class Bench:
    def __init__(self, short):
        self.short = short
        self.rounds, self.seconds = (2, 2) if short else (5, 5)
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="utopia-bench-", dir="/var/tmp"))
        self.running = []
        self.rows = []

    def folder(self, name):
        path = self.scratch / name
        path.mkdir()
        return path

    def ours(self, name, label, port, *flags, core=peers.SERVER_CORE):
        """One of our services on the server's core, or another, with one loop."""
        directory = self.folder(label)
        token = directory / "token"
        token.write_text(TOKEN)
        token.chmod(0o600)
        command = [
            BIN / f"utopia-{name}", "--listen", f"127.0.0.1:{port}", "--data", directory / "data", "--loops", "1",
            "--lab", "--admin-token-file", token, "--exit-with-parent", "--log-level", "error", *flags]
        return self.keep(peers.Peer("ours", command, ("127.0.0.1", port), directory, core=core))

    def keep(self, peer):
        self.running.append(peer)
        return peer

    def end(self, *some):
        for peer in some or list(self.running):
            peer.stop()
            self.running.remove(peer)

    def alternate(self, sides, measure):
        """Measures each side in turn, round after round; returns the medians, {name: value}."""
        found = {side.name: [] for side in sides}
        for _ in range(self.rounds):
            for side in sides:
                found[side.name].append(measure(side))
        return {name: statistics.median(values) for name, values in found.items()}

    def row(self, what, unit, ours, peer, value, goal, good):
        """`ours` and `value` in the unit; `good` says whether the goal is met by the ratio ours ÷ peer."""
        ratio = ours / value if value else None
        self.rows.append({
            "measure": what, "unit": unit, "ours": ours, "peer": peer, "peer_value": value, "ratio": ratio, "goal": goal,
            "met": bool(good(ratio if value else ours))})
        print(self.line(self.rows[-1]), flush=True)

    @staticmethod
    def number(value):
        return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"

    def line(self, row):
        peer = f"{row['peer']} {self.number(row['peer_value'])}" if row["peer_value"] else ""
        ratio = f"{row['ratio']:.2f}×" if row["ratio"] else ""
        met = "yes" if row["met"] else "**no**"
        return f"| {row['measure']} | {self.number(row['ours'])} {row['unit']} | {peer} | {ratio} | {row['goal']} | {met} |"

    def table(self):
        return "\n".join([
            "| measured | ours | beside | ratio | goal | met |", "|---|---|---|---|---|---|", *map(self.line, self.rows), "",
            self.where()])

    def where(self):
        """On what machine and against which versions."""
        processor = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
        packages = subprocess.run(
            ["dpkg-query", "--show", "--showformat", "${Package} ${Version}, ", "nginx-light", "nsd", "knot", "unbound", "postfix", "opentracker"],
            capture_output=True, text=True).stdout
        packages += re.search("libtorrent==.*", (ROOT / "Tests/requirements.txt").read_text())[0].replace("==", " ")
        return (f"Measured on {time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores of {processor[1] if processor else 'a machine'}, "
                f"{self.rounds} rounds of {self.seconds} s: {packages}.")

    # HTTP

    def http(self):
        ours = self.ours("resolver", "http", 18055, "--dns", "127.0.0.1:15390", "--root-hint", "127.0.0.1")
        body = call("http://127.0.0.1:18055/healthz").decode().strip().replace("'", "")
        nginx = self.keep(peers.nginx(self.folder("nginx"), 18080, body))
        port = {"ours": 18055, "nginx": 18080}
        lua = self.scratch / "pipeline.lua"
        lua.write_text("""
init = function(args)
  local one = wrk.format("GET", "/healthz")
  batch = string.rep(one, 16)
end
request = function() return batch end
""")

        def rate(side, pipelined):
            command = ["taskset", "-c", peers.LOAD_CORE, "wrk", "-t", "1", "-c", "64", "-d", f"{self.seconds}s"]
            command += ["-s", str(lua)] if pipelined else []
            text = subprocess.run(
                [*command, f"http://127.0.0.1:{port[side.name]}/healthz"], check=True, capture_output=True, text=True).stdout
            if "Non-2xx" in text:
                raise RuntimeError(text)
            return float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])

        def cost(side):
            # With the load on its own core the slower of the two may be the client: CPU a request tells the server's part.
            before = side.cpu()
            requests = rate(side, False) * self.seconds
            return (side.cpu() - before) / requests * 1e6

        plain = self.alternate([ours, nginx], lambda side: rate(side, False))
        self.row("HTTP, small answer, 64 connections", "req/s", plain["ours"], "nginx", plain["nginx"], "≥ 1.0×", lambda r: r >= 1)
        piped = self.alternate([ours, nginx], lambda side: rate(side, True))
        self.row("HTTP, pipelined by 16", "req/s", piped["ours"], "nginx", piped["nginx"], "≥ 5×", lambda r: r >= 5)
        used = self.alternate([ours, nginx], cost)
        self.row("HTTP, CPU a request", "µs", used["ours"], "nginx", used["nginx"], "(told beside)", lambda r: r <= 1)
        self.end(ours, nginx)

    # DNS

    def zone(self):
        lines = ["$TTL 300", "@ SOA ns.bench.example. host.bench.example. 1 3600 900 604800 60", "@ NS ns.bench.example.",
                 "ns A 127.0.0.1"]
        lines += [f"n{number} A 192.0.2.{number % 250}" for number in range(NAMES)]
        return "$ORIGIN bench.example.\n" + "\n".join(lines) + "\n"

    def questions(self):
        path = self.scratch / "questions"
        if not path.exists():
            path.write_text("".join(
                [f"n{number}.bench.example A\n" for number in range(NAMES)]
                + [f"absent{number}.bench.example A\n" for number in range(ABSENT)]))
        return path

    def per_query(self, side, port, tcp=False, rate=20000):
        """CPU of the server for a query, in microseconds, at `rate` queries a second; None: as many as it answers."""
        command = ["taskset", "-c", peers.LOAD_CORE, "dnsperf", "-s", "127.0.0.1", "-p", str(port), "-d", self.questions()]
        command += ["-l", str(self.seconds), "-c", "16", "-q", "64"]
        command += ["-Q", str(rate)] if rate else []
        command += ["-m", "tcp"] if tcp else []
        before = side.cpu()
        text = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout
        used = side.cpu() - before
        completed = int(re.search(r"Queries completed:\s+(\d+)", text)[1])
        sent = int(re.search(r"Queries sent:\s+(\d+)", text)[1])
        if completed < 0.98 * sent:
            raise RuntimeError(f"{side.name} lost queries:\n{text}")
        return used / completed * 1e6

    def our_nameserver(self, label, rest, port):
        ours = self.ours("nameserver", label, rest, "--dns", f"127.0.0.1:{port}")
        call(f"http://127.0.0.1:{rest}/api/v1/servers/localhost/zones", "POST",
             {"name": "bench.example.", "kind": "Native", "zone": self.zone()})
        return ours

    def dns(self):
        ours = self.our_nameserver("nameserver", 18050, 15300)
        ports = {"ours": 15300, "NSD": 15301, "Knot": 15302}
        nsd = self.keep(peers.nsd(self.folder("nsd"), ports["NSD"], self.zone()))
        udp = self.alternate([ours, nsd], lambda side: self.per_query(side, ports[side.name]))
        self.row("name server, UDP, CPU a query at 20,000 a second", "µs", udp["ours"], "NSD", udp["NSD"], "≤ 1.0×", lambda r: r <= 1)
        full = self.alternate([ours, nsd], lambda side: self.per_query(side, ports[side.name], rate=None))
        self.row("the same at full speed", "µs", full["ours"], "NSD", full["NSD"], "(told beside)", lambda r: r <= 1)
        self.end(nsd)
        knot = self.keep(peers.knot(self.folder("knot"), ports["Knot"], self.zone()))
        tcp = self.alternate([ours, knot], lambda side: self.per_query(side, ports[side.name], True))
        self.row("name server, TCP, CPU a query at 20,000 a second", "µs", tcp["ours"], "Knot", tcp["Knot"], "≤ 1.0×", lambda r: r <= 1)
        full = self.alternate([ours, knot], lambda side: self.per_query(side, ports[side.name], True, rate=None))
        self.row("TCP at full speed", "µs", full["ours"], "Knot", full["Knot"], "(told beside)", lambda r: r <= 1)
        self.end(ours, knot)

    def resolver(self):
        upstream = self.our_nameserver("upstream", 18051, 15310)
        ours = self.ours(
            "resolver", "resolver", 18052, "--dns", "127.0.0.1:15311", "--forward", "bench.example=127.0.0.1:15310",
            "--allow", "127.0.0.0/8")
        unbound = self.keep(peers.unbound(self.folder("unbound"), 15312, "127.0.0.1:15310"))
        ports = {"ours": 15311, "Unbound": 15312}
        for side in [ours, unbound]:
            subprocess.run(
                ["dnsperf", "-s", "127.0.0.1", "-p", str(ports[side.name]), "-d", self.questions(), "-n", "2", "-Q", "2000"],
                check=True, capture_output=True)
        used = self.alternate([ours, unbound], lambda side: self.per_query(side, ports[side.name]))
        self.row("resolver, cached, CPU a query at 20,000 a second", "µs", used["ours"], "Unbound", used["Unbound"], "≤ 1.0×", lambda r: r <= 1)
        full = self.alternate([ours, unbound], lambda side: self.per_query(side, ports[side.name], rate=None))
        self.row("the same at full speed", "µs", full["ours"], "Unbound", full["Unbound"], "(told beside)", lambda r: r <= 1)
        self.end(upstream, ours, unbound)

    # Mail

    def smtp(self):
        ours = self.ours(
            "mail", "mail", 18025, "--hostname", "bench.example", "--domain", "bench.example", "--smtp", "127.0.0.1:12525",
            "--pop3", "127.0.0.1:12110")
        call("http://127.0.0.1:18025/v1/mailboxes", "POST", {"address": "bob@bench.example", "password": "hungry-bob"})
        postfix = self.keep(peers.postfix(self.folder("postfix"), 12526))
        ports = {"ours": 12525, "Postfix": 12526}
        letters = 400 * self.seconds

        def rate(side):
            mail = self.scratch / "postfix" / "mail" / "bob" / "new"
            had = len(list(mail.iterdir())) if mail.exists() else 0
            begin = time.monotonic()
            subprocess.run(
                ["taskset", "-c", peers.LOAD_CORE, "smtp-source", "-s", "40", "-m", str(letters), "-l", "5120", "-f",
                 "alice@bench.example", "-t", "bob@bench.example", f"inet:127.0.0.1:{ports[side.name]}"],
                check=True, capture_output=True)
            if side.name == "Postfix":
                # Ours is in the mailbox when it says 250; Postfix is done when the Maildir has it.
                while not mail.exists() or len(list(mail.iterdir())) < had + letters:
                    time.sleep(0.02)
            return letters / (time.monotonic() - begin)

        found = self.alternate([ours, postfix], rate)
        self.row("SMTP, 5 KiB letters made durable, 40 sessions", "letters/s", found["ours"], "Postfix", found["Postfix"],
                 "≥ 3×", lambda r: r >= 3)
        self.end(ours, postfix)

    # Tracker

    def tracker(self):
        ours = self.ours(
            "tracker", "tracker", 18060, "--http", "127.0.0.1:16969", "--udp", "127.0.0.1:16969", "--mode", "listed",
            "--announces-per-address", "1000000")
        for hash in announces.HASHES:
            call("http://127.0.0.1:18060/v1/torrents", "POST", {"info_hash": hash.hex()})
        other = self.keep(peers.opentracker(self.folder("opentracker"), 16970, announces.HASHES))
        ports = {"ours": 16969, "opentracker": 16970}
        latencies = {"ours": [], "opentracker": []}

        def cost(rate):
            def measure(side):
                command = ["taskset", "-c", peers.LOAD_CORE, sys.executable, ROOT / "Tests/Bench/announces.py"]
                before = side.cpu()
                text = subprocess.run(
                    list(map(str, [*command, ports[side.name], rate, self.seconds])), check=True, capture_output=True, text=True).stdout
                sent, answered, octets, _, late = map(int, text.split())
                if answered < 0.98 * sent or octets < 100 * answered:
                    raise RuntimeError(f"{side.name} lost announces or told of nobody: {text}")
                if rate:
                    latencies[side.name].append(late)
                return (side.cpu() - before) / answered * 1e6
            return measure

        for side in [ours, other]:
            # Everybody is in the swarms before it is measured.
            subprocess.run(
                [sys.executable, ROOT / "Tests/Bench/announces.py", str(ports[side.name]), "20000", "6"], check=True, capture_output=True)
        latencies = {"ours": [], "opentracker": []}
        used = self.alternate([ours, other], cost(20000))
        self.row("tracker, UDP, CPU an announce at 20,000 a second", "µs", used["ours"], "opentracker", used["opentracker"],
                 "≤ 0.5×", lambda r: r <= 0.5)
        late = {side: statistics.median(values) for side, values in latencies.items()}
        self.row("the same, 99th percentile of the answers' times", "µs", late["ours"], "opentracker", late["opentracker"],
                 "(told beside)", lambda r: r <= 1)
        full = self.alternate([ours, other], cost(0))
        self.row("the same at full speed, CPU", "µs", full["ours"], "opentracker", full["opentracker"], "≤ 0.5×", lambda r: r <= 0.5)

        queries = "".join(
            f'"/announce?info_hash={"".join(f"%{octet:02x}" for octet in hash)}&peer_id=-XX0001-abcdefghijkl'
            f'&port={1024 + place}&left=1&numwant=50&compact=1",\n' for place, hash in enumerate(announces.HASHES))

        def http(header):
            lua = self.scratch / f"announces{len(header)}.lua"
            lua.write_text(f"""
local paths = {{{queries}}}
local sent = 0
request = function()
  sent = sent + 1
  return wrk.format("GET", paths[sent % #paths + 1], {{{header}}})
end
""")

            def measure(side):
                before = side.cpu()
                text = subprocess.run(
                    ["taskset", "-c", peers.LOAD_CORE, "wrk", "-t", "1", "-c", "16", "-d", f"{self.seconds}s", "-s", str(lua),
                     f"http://127.0.0.1:{ports[side.name]}/"], check=True, capture_output=True, text=True).stdout
                if "Non-2xx" in text:
                    raise RuntimeError(text)
                return (side.cpu() - before) / int(re.search(r"(\d+) requests in", text)[1]) * 1e6
            return measure

        used = self.alternate([ours, other], http('["Connection"] = "close"'))
        self.row("tracker, HTTP, CPU an announce on a connection of its own", "µs", used["ours"], "opentracker", used["opentracker"],
                 "≤ 0.33×", lambda r: r <= 0.33)
        # opentracker closes each connection, whatever the client asks for.
        kept = self.alternate([ours], http(""))
        self.row("the same on connections that are kept, which opentracker has none of", "µs", kept["ours"], "opentracker",
                 used["opentracker"], "≤ 0.33×", lambda r: r <= 0.33)
        self.end(ours, other)
        self.memory()

    def memory(self):
        torrents, count = (3000, 300_000) if self.short else (10_000, 1_000_000)
        ours = self.ours(
            "tracker", "trackermemory", 18060, "--udp", "127.0.0.1:16969", "--loops", "1", "--announces-per-address", "1000000")
        other = self.keep(peers.opentracker(self.folder("opentrackermemory"), 16970, filling.hashes(torrents)))
        used = {}
        for side, port in [(ours, 16969), (other, 16970)]:
            time.sleep(1)
            before = side.anonymous()
            subprocess.run(
                [sys.executable, ROOT / "Tests/Bench/filling.py", str(port), str(torrents), str(count)], check=True, capture_output=True)
            used[side.name] = (side.anonymous() - before) * (1 << 20) / count
        self.row(f"tracker, memory a peer, {count:,} peers in {torrents:,} torrents", "octets", used["ours"], "opentracker",
                 used["opentracker"], "< 40", lambda r: used["ours"] < 40)
        self.end(ours, other)

    # BitTorrent

    def peer(self):
        transfers.measure(self, call, 128 if self.short else 512)

    def swarm(self):
        """The textbook's experiment, beside the bounds that no way can do without."""
        result = self.scratch / "distribution.json"
        subprocess.run(
            [BIN / "utopia", "experiment", "distribution", "--net", "98", "--size", "16MiB", "--peers", "10", "--server-up", "80Mbps",
             "--peer-up", "8Mbps", "--peer-down", "20Mbps", "--json", result], check=True, capture_output=True)
        for item in json.loads(result.read_text())["results"]:
            goal = {"client-server": 1.1, "peer-to-peer": 1.25}[item["way"]]
            self.row(f"16 MiB from one server to {item['peers']} peers, {item['way']}", "s", item["measured_seconds"], "the bound",
                     item["bound_seconds"], f"≤ {goal}×", lambda r: r <= goal)

    # Idle memory and a world's start

    def idle(self):
        for number, (name, flags) in enumerate([
            ("nameserver", ["--dns", "127.0.0.1:15320"]), ("resolver", ["--dns", "127.0.0.1:15321", "--root-hint", "127.0.0.1"]), ("registrar", []),
            ("tracker", ["--http", "127.0.0.1:15330", "--udp", "127.0.0.1:15330"]),
            ("peer", ["--bittorrent", "127.0.0.1:15340"]),
            ("mail", ["--hostname", "x.example", "--domain", "x.example", "--smtp", "127.0.0.1:12530"]),
        ]):
            one = self.ours(name, f"idle-{name}", 18070 + number, *flags)
            time.sleep(1)
            self.row(f"{name}, idle, anonymous memory", "MiB", one.anonymous(), "", None, "< 8", lambda value: value < 8)
            self.end(one)

    def world(self):
        took = []
        for number in range(self.rounds):
            data = self.scratch / f"world{number}"
            begin = time.monotonic()
            subprocess.run([BIN / "utopia", "up", "--detach", "--net", "99", "--data", data], check=True, capture_output=True)
            took.append(time.monotonic() - begin)
            subprocess.run([BIN / "utopia", "down", "--data", data], check=True, capture_output=True)
        self.row("a world, from nothing to ready and seeded", "s", statistics.median(took), "", None, "< 3", lambda v: v < 3)


def main():
    parts = ["http", "dns", "resolver", "smtp", "tracker", "peer", "swarm", "idle", "world"]
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true")
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(parts))
    chosen = parser.parse_args()
    chosen.parts = chosen.parts or parts
    if unknown := set(chosen.parts) - set(parts):
        parser.error(f"no part is named {', '.join(sorted(unknown))}")
    bench = Bench(chosen.short)
    failed = []
    try:
        for part in chosen.parts:
            try:
                getattr(bench, part)()
            except (RuntimeError, OSError, subprocess.SubprocessError) as error:
                failed.append(part)
                print(f"{part}: not measured: {error}", file=sys.stderr)
                bench.end()
    finally:
        bench.end()
        shutil.rmtree(bench.scratch, ignore_errors=True)
    print(bench.table())
    result = ROOT / ".build" / "bench.json"
    result.write_text(json.dumps({"rows": bench.rows, "not_measured": failed, "where": bench.where()}, indent=2) + "\n")
    readme = ROOT / "README.md"
    if not chosen.short and not failed and chosen.parts == parts:
        text = readme.read_text()
        begin, end = "<!-- measured -->", "<!-- /measured -->"
        if begin in text and end in text:
            head, rest = text.split(begin, 1)
            readme.write_text(f"{head}{begin}\n{bench.table()}\n{end}{rest.split(end, 1)[1]}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
