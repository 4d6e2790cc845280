"""Builds the libFuzzer targets and runs them: `python3 Tests/Fuzz/fuzz.py [seconds] [target …]`.

A target is a file in Targets/ that defines LLVMFuzzerTestOneInput. The modules it needs are compiled from their sources
with the fuzzer's instrumentation, apart from the package's own build, because every function of theirs has to be counted.
What a run finds is kept in .build/fuzz/corpus; Corpus/ in the tree has the seeds; Crashes/ what once broke a target.
"""
import hashlib
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
WORK = ROOT / ".build" / "fuzz"

MODULES = {
    "Octets": [],
    "DNSWire": ["Octets"],
    "MailWire": ["Octets"],
    "TorrentWire": ["Octets"],
    "HTTPWire": ["Octets"],
}
# Target: the modules it links, and sources compiled into it because their own module is an executable.
SMTP = [f"Services/Mail/SMTP/{file}.swift" for file in [
    "DataDecoder", "SMTPAuthentication", "SMTPCommands", "SMTPEnvelope", "SMTPSession"]]
LINES = [f"Services/Mail/Sessions/{file}.swift" for file in ["CommandLines", "LineSession"]]
TARGETS = {
    "DNSMessage": (["DNSWire"], []),
    "ZoneFile": (["DNSWire"], []),
    "HTTPRequest": (["HTTPWire"], []),
    "MIMEMessage": (["MailWire"], []),
    "Torrent": (["TorrentWire"], []),
    "PeerMessages": (["TorrentWire"], []),
    "TrackerMessages": (["TorrentWire"], []),
    "SMTPDialogue": (["MailWire"], [*SMTP, *LINES]),
    "SMTPReplies": (["MailWire"], ["Services/Mail/Mailbox/String+Cut.swift", *[f"Services/Mail/Queue/{file}.swift" for file in [
        "DeliveryVerdict", "Dialogue", "SMTPClientSession", "SMTPPatience"]]]),
    "POP3Dialogue": (["MailWire"], [*[f"Services/Mail/POP3/POP3{part}.swift" for part in ["Session", "Handover", "Letter"]], *LINES]),
}
# The package's own language settings, without those that only forbid.
FLAGS = ["-swift-version", "6", "-O", "-sanitize=fuzzer", "-parse-as-library", "-strict-memory-safety"]
for feature in ["ExistentialAny", "MemberImportVisibility", "InternalImportsByDefault", "NonisolatedNonsendingByDefault"]:
    FLAGS += ["-enable-upcoming-feature", feature]


def sources(*places):
    found = []
    for place in places:
        path = ROOT / place
        found += sorted(path.rglob("*.swift")) if path.is_dir() else [path]
    return found


def fingerprint(files):
    digest = hashlib.sha256("\0".join(FLAGS).encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def needed(modules):
    order = []
    for module in modules:
        for name in [*needed(MODULES[module]), module]:
            if name not in order:
                order.append(name)
    return order


def compile(output, files, arguments):
    """Runs swiftc unless the output was made from these very sources."""
    stamp = output.with_suffix(".stamp")
    wanted = fingerprint(files)
    if output.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"Compiling {output.name}", flush=True)
    subprocess.run(["swiftc", *FLAGS, "-I", WORK, *arguments, "-o", output, *files], check=True)
    stamp.write_text(wanted)


def build(target):
    """Compiles a target; returns the executable."""
    WORK.mkdir(parents=True, exist_ok=True)
    modules, extra = TARGETS[target]
    objects = []
    below = []
    for name in needed(modules):
        files = sources(f"Shared/{name}")
        below += files
        compile(
            WORK / f"{name}.o", files,
            ["-wmo", "-emit-object", "-emit-module", "-emit-module-path", WORK / f"{name}.swiftmodule",
             "-module-name", name])
        objects.append(WORK / f"{name}.o")
    files = sources(*extra) + [HERE / "Targets" / f"{target}.swift", HERE / "Targets" / "Support.swift"]
    executable = WORK / target
    stamp = WORK / f"{target}.stamp"
    wanted = fingerprint(below + files)
    if not (executable.exists() and stamp.exists() and stamp.read_text() == wanted):
        print(f"Compiling {target}", flush=True)
        subprocess.run(
            ["swiftc", *FLAGS, "-wmo", "-I", WORK, "-module-name", f"{target}Fuzz", "-o", executable, *files, *objects],
            check=True)
        stamp.write_text(wanted)
    return executable


def run(target, seconds, seed=0):
    """Runs a target for some seconds after its corpus, with a seed of its own choice if that is 0; returns what libFuzzer said, raises when an input breaks it."""
    executable = build(target)
    found = WORK / "corpus" / target
    found.mkdir(parents=True, exist_ok=True)
    seeds = HERE / "Corpus" / target
    places = [found, seeds] + ([HERE / "Crashes" / target] if (HERE / "Crashes" / target).exists() else [])
    command = [
        executable, f"-max_total_time={seconds}", f"-seed={seed}", "-timeout=10", "-rss_limit_mb=2048", "-max_len=8192",
        "-print_final_stats=1", f"-artifact_prefix={WORK}/{target}-", *places]
    done = subprocess.run(
        command, env=dict(os.environ, SWIFT_BACKTRACE="enable=no"), stdin=subprocess.DEVNULL, capture_output=True,
        text=True, errors="replace")
    if done.returncode != 0:
        raise RuntimeError(f"{target}: exit {done.returncode}\n" + "\n".join(done.stderr.splitlines()[-40:]))
    return done.stderr


if __name__ == "__main__":
    length = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    for one in sys.argv[2:] or TARGETS:
        lines = run(one, length).splitlines()
        print(one, *[line for line in lines if "number_of_executed_units" in line or "DONE" in line], sep="\n  ")
