"""The launcher says what is wrong in one line, ends with another code than 0, and leaves nothing running."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess

import pytest
import requests
from harness import eventually, executable, free_net

SERVICES = ["nameserver", "resolver", "registrar", "mail", "tracker", "peer"]


class World:
    """Runs `utopia` on a world of its own, whose executables may be taken from another folder."""

    def __init__(self, directory):
        self.number = free_net()
        self.data = directory / "world"
        self.bin = executable("utopia").parent
        self.options = ["--net", str(self.number), "--data", str(self.data)]

    def run(self, *arguments, options=None):
        return subprocess.run(
            [self.bin / "utopia", *arguments, *(self.options if options is None else options)], capture_output=True,
            text=True, stdin=subprocess.DEVNULL, timeout=120)

    def foreground(self):
        """`utopia up` as in a terminal, once it is up."""
        process = subprocess.Popen(
            [self.bin / "utopia", "up", *self.options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            stdin=subprocess.DEVNULL)
        said = ""
        while "Stop:" not in said:
            line = process.stdout.readline()
            assert line, said + process.stderr.read()
            said += line
        return process

    def copy(self, directory):
        """The executables in a folder of this test's own."""
        directory.mkdir()
        for name in ["utopia", *(f"utopia-{service}" for service in SERVICES)]:
            os.link(self.bin / name, directory / name) if os.stat(self.bin).st_dev == os.stat(
                directory).st_dev else shutil.copy(self.bin / name, directory / name)
        self.bin = directory

    def processes(self, word=""):
        """The command lines, by process, of what runs for this world."""
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                except OSError:
                    continue
                if str(self.data) in line and f"utopia{word}" in line:
                    found[int(entry.name)] = line
        return found

    def at(self, place):
        return f"127.{self.number}.{place}"


@pytest.fixture
def world(tmp_path):
    one = World(tmp_path)
    yield one
    one.run("down", options=["--data", str(one.data)])
    left = one.processes()
    for process in left:
        os.kill(process, signal.SIGKILL)
    assert not left, left


def test_a_child_that_dies_at_the_start_lets_the_others_end_in_order(world):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((world.at("12.1"), 5300))
        up = world.run("up")
    assert up.returncode == 1
    assert "resolver" in up.stderr, up.stderr
    one_line(up.stderr)
    for host in ["root", "tld-edu", "hosting"]:
        lines = (world.data / "log" / f"{host}.log").read_text().splitlines()
        assert '"stopped"' in lines[-1], lines[-3:]


def test_a_reset_under_questions_leaves_no_wrong_answer_behind(world):
    up = world.run("up", "--detach")
    assert up.returncode == 0, up.stderr
    options = ["--data", str(world.data)]

    def address():
        return subprocess.run(
            ["dig", f"@{world.at('12.1')}", "-p", "5300", "+short", "+time=2", "+tries=1", "gaia.cs.umass.edu"],
            capture_output=True, text=True, timeout=30).stdout.strip()

    right = address()
    assert right == world.at("50.13")
    for _ in range(6):
        reset = subprocess.Popen([world.bin / "utopia", "reset", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while reset.poll() is None:
            address()
        assert reset.returncode == 0, reset.stderr.read()
        assert address() == right
        reset.communicate()


def test_a_reset_that_can_not_reach_a_service_changes_nothing(world):
    up = world.run("up", "--detach")
    assert up.returncode == 0, up.stderr
    options = ["--data", str(world.data)]
    catch = next(process for process, line in world.processes("-mail").items() if "--catch" in line)
    os.kill(catch, signal.SIGSTOP)
    try:
        reset = world.run("reset", options=options)
    finally:
        os.kill(catch, signal.SIGCONT)
    assert reset.returncode == 1
    assert "mail.test does not answer" in one_line(reset.stderr) or "catch" in one_line(reset.stderr)
    zones = requests.get(f"http://{world.at('0.1')}:8050/api/v1/servers/localhost/zones", timeout=10, headers={
        "Authorization": f"Bearer {(world.data / 'admin-token').read_text().strip()}"}).json()
    assert [zone["name"] for zone in zones] == ["."]
    assert world.run("reset", options=options).returncode == 0


def one_line(text):
    lines = text.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("utopia: "), text
    return lines[0]


@pytest.mark.parametrize("detach", [[], ["--detach"]])
def test_a_port_in_use(world, detach):
    with socket.create_server((world.at("20.1"), 2525)):
        done = world.run("up", *detach)
    assert done.returncode == 1
    assert f"{world.at('20.1')}:2525" in one_line(done.stderr) and "mail.hamburger.edu" in done.stderr
    assert not world.processes()


def test_an_executable_that_is_missing(world, tmp_path):
    world.copy(tmp_path / "bin")
    (tmp_path / "bin" / "utopia-registrar").unlink()
    done = world.run("up", "--detach")
    assert done.returncode == 1 and "utopia-registrar is missing" in one_line(done.stderr)
    assert not world.processes()


def test_a_library_that_is_missing(world, tmp_path):
    world.copy(tmp_path / "bin")
    path = tmp_path / "bin" / "utopia-registrar"
    path.unlink()
    # The dynamic linker's own words and exit code.
    path.write_text(
        '#!/bin/sh\necho "$0: error while loading shared libraries: libcurl.so.4: cannot open shared object file: '
        'No such file or directory" >&2\nexit 127\n')
    path.chmod(0o755)
    done = world.run("up", "--detach")
    assert done.returncode == 1
    said = one_line(done.stderr)
    assert said.startswith("utopia: registrar ended with code 127") and "libcurl.so.4" in said
    assert not world.processes()


def test_a_child_that_dies_takes_the_world_with_it(world):
    process = world.foreground()
    os.kill(next(iter(world.processes("-resolver"))), signal.SIGKILL)
    assert process.wait(60) == 1
    assert one_line(process.stderr.read()).startswith("utopia: resolver was ended by signal 9 (log: ")
    assert not world.processes()
    assert ": resolver was ended by signal 9 (log: " in world.run("status").stdout
    world.foreground().send_signal(signal.SIGINT)
    eventually(lambda: not world.processes())
    assert "was ended" not in world.run("status").stdout, "an end that was asked for needs no reason"


def test_control_c_ends_all_in_order(world):
    process = world.foreground()
    assert len(world.processes("-")) == 15
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert not world.processes()
    assert "is down" in process.stdout.read()


def test_children_end_with_a_launcher_that_was_killed(world):
    process = world.foreground()
    process.kill()
    process.wait()
    eventually(world.processes, lambda left: not left)


def test_a_running_world_is_told_shown_moved_and_put_back(world):
    assert world.run("status", options=["--data", str(world.data)]).returncode == 1
    assert world.run("up", "--detach").returncode == 0
    again = world.run("up", "--detach")
    assert again.returncode == 1 and "is running" in one_line(again.stderr)

    options = ["--data", str(world.data)]
    status = world.run("status", options=options)
    assert status.returncode == 0 and status.stdout.count(" ready ") == 15, status.stdout
    assert world.run("health", f"http://{world.at('0.1')}:8050", options=[]).returncode == 0
    assert world.run("clock", "+2h30m", options=options).stdout == "The world is 2h 30m ahead.\n"
    assert world.run("clock", options=options).stdout == "The world is 2h 30m ahead.\n"
    wrong = world.run("clock", "yesterday", options=options)
    assert wrong.returncode == 1 and "+3d" in one_line(wrong.stderr)
    assert "Reset 15 services" in world.run("reset", options=options).stdout
    assert world.run("clock", options=options).stdout == "The world is 0s ahead.\n"
    assert "was there" in world.run("seed", options=options).stdout

    tour = world.run("tour", options=options)
    assert tour.returncode == 0, tour.stderr
    for part in ["220 mail.", "RCPT TO:<bob@hamburger.edu>", "250 2.0.0", "+OK", "referral", "networkutopia.com"]:
        assert part in tour.stdout, part

    assert world.run("down", options=options).returncode == 0
    assert "No world is running" in world.run("down", options=options).stdout
    for command in [["clock", "+1h"], ["seed"], ["reset"], ["tour"]]:
        done = world.run(*command, options=options)
        assert done.returncode == 1 and "no world is running" in one_line(done.stderr), command
    done = world.run("health", f"http://{world.at('0.1')}:8050", options=[])
    assert done.returncode == 1 and one_line(done.stderr)


def test_a_folder_without_a_name_is_refused(world):
    # What --data "$UNSET" becomes: the world would be strewn over the root folder.
    for command in ["up", "status", "down", "reset"]:
        done = world.run(command, options=["--data", ""])
        assert done.returncode == 64 and "--data needs the name of a folder" in done.stderr, command


def test_a_world_of_ones_own(world, tmp_path):
    printed = world.run("world", options=[]).stdout
    mine = tmp_path / "mine.yaml"
    mine.write_text(printed.replace("alice@crepes.fr: ketchup", "chef@crepes.fr: butter"))
    assert world.run("up", "--detach", "--world", str(mine)).returncode == 0
    token = (world.data / "admin-token").read_text().strip()
    boxes = requests.get(
        f"http://{world.at('0.1')}:8026/v1/mailboxes", headers={"Authorization": f"Bearer {token}"}, timeout=10).json()
    assert [box["address"] for box in boxes["items"]] == ["chef@crepes.fr"]

    world.run("down", options=["--data", str(world.data)])
    mine.write_text(printed.replace("service: resolver", "service: revolver"))
    done = world.run("up", "--detach")
    assert done.returncode == 1
    assert f"{mine}:" in one_line(done.stderr) and "nameserver, resolver, registrar, mail, tracker or peer" in done.stderr
    assert not world.processes()


def test_two_worlds_side_by_side(world, tmp_path):
    other = World(tmp_path / "other")
    assert world.run("up", "--detach").returncode == 0
    try:
        assert other.run("up", "--detach").returncode == 0
        for one in [world, other]:
            answer = subprocess.run(
                ["dig", f"@{one.at('12.1')}", "-p", "5300", "+short", "gaia.cs.umass.edu"], capture_output=True,
                text=True, timeout=60)
            assert answer.stdout.strip() == one.at("50.13")
    finally:
        other.run("down", options=["--data", str(other.data)])
    assert not other.processes() and world.processes()
