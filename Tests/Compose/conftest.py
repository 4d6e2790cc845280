"""A Docker engine for the tests: the one that runs, or, as root, one of our own that ends with the tests."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "EndToEnd"))

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / ".build" / "compose"
#: A name of its own: whoever has the image already keeps it.
IMAGE = "utopia-test"
PACKAGES = "libcurl4,libsqlite3-0,libssl3,ca-certificates,curl,dnsutils,swaks,telnet,aria2"


def answers(environment):
    return subprocess.run(["docker", "info"], env=environment, capture_output=True, timeout=30).returncode == 0


@pytest.fixture(scope="session")
def engine():
    """The environment in which `docker` and `docker-compose` reach an engine."""
    environment = dict(os.environ, DOCKER_BUILDKIT="0", COMPOSE_DOCKER_CLI_BUILD="0")
    if not shutil.which("docker"):
        pytest.skip("no docker client on this machine")
    if answers(environment):
        yield environment
        return
    if os.geteuid() != 0 or not shutil.which("dockerd"):
        pytest.skip("no Docker engine runs here, and starting one needs root and dockerd")
    # A path to a Unix socket is at most 107 bytes, so the run directory is a short one.
    run = pathlib.Path(tempfile.mkdtemp(prefix="utopia-"))
    data = pathlib.Path(tempfile.mkdtemp(prefix="docker-", dir="/var/tmp"))
    log = run / "log"
    environment["DOCKER_HOST"] = f"unix://{run}/sock"
    command = ["dockerd", "--data-root", data, "--exec-root", run / "exec", "--pidfile", run / "pid"]
    command += ["-H", environment["DOCKER_HOST"]]
    with open(log, "wb") as output:
        daemon = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not answers(environment):
            if daemon.poll() is not None or time.monotonic() > deadline:
                reason = log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
                pytest.skip(f"dockerd does not start on this machine: {reason[-1]}")
            time.sleep(0.5)
        yield environment
    finally:
        daemon.terminate()
        try:
            daemon.wait(60)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()
        shutil.rmtree(run, ignore_errors=True)
        shutil.rmtree(data, ignore_errors=True)


def mirror():
    """Where this machine's apt gets Debian from: debootstrap must use the same. Empty: its own default."""
    for name in ["/etc/apt/sources.list", *sorted(pathlib.Path("/etc/apt/sources.list.d").glob("*"))]:
        path = pathlib.Path(name)
        text = path.read_text(errors="replace") if path.is_file() else ""
        found = re.search(r"^(?:URIs:\s*|deb\s+(?:\[.*?\]\s*)?)(https?://\S+)", text, re.MULTILINE)
        if found:
            return [found[1]]
    return []


@pytest.fixture(scope="session")
def base(engine):
    """A slim Debian, of this machine's release, with the libraries and clients of the image: no registry needed."""
    name = "utopia-test-base"
    archive = WORK / "base.tar"
    if not archive.exists():
        if os.geteuid() != 0 or not shutil.which("debootstrap"):
            pytest.skip("the base image is made with debootstrap, which needs root")
        release = re.search(r"^VERSION_CODENAME=(\w+)", pathlib.Path("/etc/os-release").read_text(), re.MULTILINE)
        WORK.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
            root = pathlib.Path(directory) / "root"
            subprocess.run(
                ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", release[1], root, *mirror()],
                check=True, stdout=subprocess.DEVNULL)
            shutil.rmtree(root / "var/cache/apt", ignore_errors=True)
            partial = WORK / "base.tar.partial"
            subprocess.run(["tar", "-C", root, "-cf", partial, "."], check=True)
            partial.rename(archive)
    subprocess.run(["docker", "import", archive, name], env=engine, check=True, stdout=subprocess.DEVNULL)
    return name


@pytest.fixture(scope="session")
def compose(engine, base):
    """Runs docker-compose on compose.yaml, on a network and host address of its own; ends with everything gone."""
    executables = ROOT / "dist" / "bin"
    shutil.rmtree(executables, ignore_errors=True)
    executables.mkdir(parents=True)
    for name in ["utopia", "utopia-mail", "utopia-nameserver", "utopia-resolver", "utopia-registrar", "utopia-tracker",
                 "utopia-peer"]:
        built = ROOT / ".build" / "release" / name
        assert built.exists(), f"{built} is missing: run make build"
        subprocess.run(["strip", "-o", executables / name, built], check=True)
    environment = dict(
        engine, COMPOSE_PROJECT_NAME="utopiatest", UTOPIA_SUBNET="10.91", UTOPIA_PUBLISH="127.91.0.1",
        UTOPIA_ADMIN_TOKEN="compose-test", UTOPIA_IMAGE=IMAGE, UTOPIA_BUILD_IMAGE=base, UTOPIA_BASE_IMAGE=base,
        UTOPIA_EXECUTABLES="dist/bin")
    tool = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]

    def run(*arguments, check=True, timeout=600):
        done = subprocess.run(
            [*tool, *arguments], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, text=True, timeout=timeout,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert not check or done.returncode == 0, f"{' '.join(arguments)}:\n{done.stdout}"
        return done.stdout

    run.environment = environment
    run.tool = " ".join(tool)
    run("build")
    try:
        run("up", "--detach")
        yield run
    finally:
        (WORK / "containers.log").write_text(run("logs", "--no-color", check=False))
        run("down", "--volumes", "--remove-orphans", check=False)
        subprocess.run(["docker", "rmi", "--force", IMAGE, base], env=environment, capture_output=True)
        shutil.rmtree(executables, ignore_errors=True)
