"""The textbook's experiment, small: what it prints, writes and leaves behind. How long it takes is told and not tested."""
import json
import os
import signal
import subprocess
import xml.etree.ElementTree

import pytest
from harness import eventually, executable, free_net


def experiment(*options, **more):
    return subprocess.run(
        [executable("utopia"), "experiment", "distribution", "--net", str(free_net()), *options], capture_output=True, text=True,
        timeout=180, env=dict(os.environ, no_proxy="*"), **more)


def small(tmp_path, *options):
    done = experiment(
        "--size", "2MiB", "--server-up", "40Mbps", "--peer-up", "20Mbps", "--peer-down", "40Mbps", "--piece-length", "65536",
        "--json", str(tmp_path / "result.json"), "--svg", str(tmp_path / "result.svg"), "--data", str(tmp_path / "lab"), *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, json.loads((tmp_path / "result.json").read_text())


def test_both_ways_are_measured(tmp_path):
    said, result = small(tmp_path, "--peers", "1,3")
    assert [(item["way"], item["peers"]) for item in result["results"]] == [
        ("client-server", 1), ("peer-to-peer", 1), ("client-server", 3), ("peer-to-peer", 3)]
    for item in result["results"]:
        assert len(item["completed_after_seconds"]) == item["peers"]
        assert item["measured_seconds"] == max(item["completed_after_seconds"])
    # Three copies left the server, or fewer where the peers gave each other what they had.
    sent = {item["way"]: item["server_sent_bytes"] for item in result["results"] if item["peers"] == 3}
    assert sent["client-server"] == 3 * (2 << 20) > sent["peer-to-peer"] >= 2 << 20
    assert "peer-to-peer" in said and "ratio" in said
    drawn = xml.etree.ElementTree.parse(tmp_path / "result.svg").getroot()
    assert len(drawn.findall("{http://www.w3.org/2000/svg}polyline")) == 2
    # What each peer has is the file itself.
    sample = (tmp_path / "lab" / "sample").read_bytes()
    for number in [1, 2, 3]:
        assert (tmp_path / "lab" / f"run1-peer{number}" / "downloads" / "sample").read_bytes() == sample


@pytest.mark.parametrize("options", [
    ["--free-riders", "2"], ["--churn", "2", "--come-back-elsewhere"], ["--leave-on-complete"]], ids=lambda options: options[0][2:])
def test_peers_that_behave_otherwise(options, tmp_path):
    said, result = small(tmp_path, "--peers", "4", "--only", "peer-to-peer", *options)
    item, = result["results"]
    riders = item.get("free_riders_completed_after_seconds", [])
    assert len(item["completed_after_seconds"]) + len(riders) == 4
    assert len(riders) == (2 if "--free-riders" in options else 0)
    assert ("free riders after" in said) == bool(riders)


# While it starts its processes as well as when all of them are there.
@pytest.mark.parametrize("way, processes", [("peer-to-peer", 1), ("peer-to-peer", 3), ("peer-to-peer", 5), ("client-server", 4)])
def test_interrupted_it_leaves_nothing(way, processes, tmp_path):
    net = free_net()
    process = subprocess.Popen(
        [executable("utopia"), "experiment", "distribution", "--size", "50MB", "--peers", "3", "--only", way, "--net",
         str(net)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=dict(os.environ, TMPDIR=str(tmp_path)))

    def ours():
        found = []
        for entry in os.listdir("/proc"):
            try:
                command = open(f"/proc/{entry}/cmdline").read() if entry.isdigit() else ""
            except OSError:
                continue
            if f"127.{net}." in command and ("utopia-" in command or "experiment\0serve" in command or "experiment\0fetch" in command):
                found.append(command)
        return found
    try:
        eventually(lambda: len(ours()) >= processes)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert not ours() and not list(tmp_path.iterdir())
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def listening(address):
    import socket
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    taken.bind(address)
    taken.listen()
    return taken


@pytest.mark.parametrize("way, place", [("client-server", "40.1:8080"), ("peer-to-peer", "0.1:9001")])
def test_a_server_that_cannot_start_says_why(way, place, tmp_path):
    net = free_net()
    address, port = place.split(":")
    taken = listening((f"127.{net}.{address}", int(port)))
    try:
        done = subprocess.run(
            [executable("utopia"), "experiment", "distribution", "--net", str(net), "--size", "1MiB", "--peers", "1", "--only", way],
            capture_output=True, text=True, timeout=60, env=dict(os.environ, TMPDIR=str(tmp_path)))
        assert done.returncode == 1 and "Address already in use" in done.stderr, done.stdout + done.stderr
        assert not list(tmp_path.iterdir())
    finally:
        taken.close()


def test_two_on_one_network_do_not_mix():
    net = free_net()
    command = [executable("utopia"), "experiment", "distribution", "--net", str(net), "--only", "client-server", "--peers", "1"]
    first = subprocess.Popen([*command, "--size", "50MB"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: subprocess.run(["ss", "-Hltn", f"src 127.{net}.40.1"], capture_output=True).stdout)
        second = subprocess.run([*command, "--size", "1MB"], capture_output=True, text=True, timeout=60)
        assert second.returncode == 1 and "--net" in second.stderr, second.stderr
        assert first.poll() is None
    finally:
        first.send_signal(signal.SIGINT)
        assert first.wait(60) == 130


def test_a_folder_is_for_one_experiment(tmp_path):
    small(tmp_path, "--peers", "1", "--only", "client-server")
    again = experiment("--size", "1MB", "--peers", "1", "--data", str(tmp_path / "lab"))
    assert again.returncode == 1 and "empty folder" in again.stderr, again.stderr


def test_what_makes_no_sense_is_refused():
    for options, words in [
            (["--peers", "0"], "--peers"), (["--size", "many"], "--size"), (["--server-up", "80"], "server-up"),
            (["--free-riders", "11"], "--free-riders"), (["--net", "0"], "--net"), (["--piece-length", "1000"], "--piece-length")]:
        done = subprocess.run(
            [executable("utopia"), "experiment", "distribution", *options], capture_output=True, text=True, timeout=30)
        assert done.returncode != 0 and words in done.stderr, (options, done.stderr)
