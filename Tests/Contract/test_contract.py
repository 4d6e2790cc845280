"""The OpenAPI files say what the services do: the same operations, and answers as described."""
import json
import os
import pathlib
import re
import urllib.parse

import pytest
import yaml
from harness import ROOT, TOKEN, run

SERVICES = sorted(path.stem for path in (ROOT / "openapi").glob("*.yaml"))
METHODS = {"get", "put", "post", "patch", "delete"}
HERE = pathlib.Path(__file__).parent


def contract(name):
    return yaml.safe_load((ROOT / "openapi" / f"{name}.yaml").read_text())


def operations(name):
    """{(method, pattern): operation id} of a contract."""
    return {
        (method.upper(), pattern): operation["operationId"]
        for pattern, item in contract(name)["paths"].items() for method, operation in item.items() if method in METHODS}


def plain(path):
    """A path without the names of its parameters, which file and router may give differently."""
    return re.sub(r"\{[^}]*\}", "{}", path)


@pytest.mark.parametrize("name", SERVICES)
def test_router_and_file_name_the_same_operations(name, services):
    described = {(method, plain(pattern)) for method, pattern in operations(name)}
    routed = {
        (item["method"], plain(item["pattern"])) for item in services(name).ask("GET", "/v1/routes")["items"]
        if item["method"] not in ("HEAD", "OPTIONS")}
    assert routed - described == set(), "routes that the file doesn't describe"
    assert described - routed == set(), "operations that nothing answers"


def test_what_every_service_has_is_described_alike():
    described = [contract(name)["paths"] for name in SERVICES]
    common = set.intersection(*map(set, described))
    assert {"/healthz", "/readyz", "/metrics", "/openapi.yaml", "/v1/routes", "/v1/backup", "/v1/clock", "/v1/reset"} <= common
    for path in common:
        assert all(paths[path] == described[0][path] for paths in described), path


@pytest.mark.parametrize("name", SERVICES)
def test_the_file_is_served_as_it_is(name, services):
    service = services(name)
    assert service.http.get(f"{service.url}/openapi.yaml").text == (ROOT / "openapi" / f"{name}.yaml").read_text()


def schemathesis(service, name, *selection):
    """Runs all checks; returns the operations that were answered with a success, by their ids."""
    har = service.directory / "requests.har"
    run(
        ROOT / ".venv/bin/schemathesis", "--config-file", HERE / "schemathesis.toml", "run",
        ROOT / "openapi" / f"{name}.yaml", "--url", service.url, "-H", f"Authorization: Bearer {TOKEN}", "--checks", "all",
        # A live stream has no end to wait for and events instead of a document: the end-to-end tests read it.
        "--exclude-path", "/v1/events", *selection, "--report-har-path", har,
        "--max-examples", "15", "--seed", "1", "--warnings", "off", "--no-color", timeout=900, cwd=service.directory,
        env=dict(os.environ, SCHEMATHESIS_HOOKS="hooks", PYTHONPATH=str(HERE), PYTHONDONTWRITEBYTECODE="1"))
    patterns = [
        (method, re.compile(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(pattern)) + "$"), operation)
        for (method, pattern), operation in operations(name).items()]
    succeeded = set()
    for entry in json.loads(har.read_text())["log"]["entries"]:
        if 200 <= entry["response"]["status"] < 300:
            path = urllib.parse.urlsplit(entry["request"]["url"]).path
            # A path without parameters wins over a pattern that fits too, as it does in the router.
            fits = [(pattern.pattern.count("[^/]+"), operation) for method, pattern, operation in patterns
                    if method == entry["request"]["method"] and pattern.match(path)]
            succeeded.update(operation for _, operation in sorted(fits)[:1])
    return succeeded


#: Deletes come in a second run, for in the first all that the service was given stays there, and a reset, which takes away
#: whatever a scenario has just made, in a run of its own.
WORLD = ["reset", "advanceClock"]
#: What is inside of something goes first: the last run removes Bob's mailbox, or the torrent, before it gets to them. The tracker that
#: goes is the one that came just before.
INSIDE = {"mail": ["deleteMessage", "deleteFolder"], "peer": ["putTrackers", "deleteTracker"]}
#: Nothing to back up; and the tool can't make a DNS message, which the resolver's own tests post.
WITHOUT_SUCCESS = {"resolver": {"backUp", "queryByPost"}}


@pytest.mark.parametrize("name", SERVICES)
def test_schemathesis_finds_nothing(name, services):
    service = services(name)
    without_world = [flag for operation in WORLD for flag in ["--exclude-operation-id", operation]]
    succeeded = schemathesis(service, name, "--exclude-method", "DELETE", *without_world)
    if name in INSIDE:
        succeeded |= schemathesis(
            service, name, *[flag for operation in INSIDE[name] for flag in ["--include-operation-id", operation]])
    succeeded |= schemathesis(service, name, *without_world)
    succeeded |= schemathesis(service, name, *[flag for operation in WORLD for flag in ["--include-operation-id", operation]])
    wanted = {
        operation["operationId"] for item in contract(name)["paths"].values() for method, operation in item.items()
        if method in METHODS and not {"catch", "live"} & set(operation["tags"])}
    assert wanted - succeeded == WITHOUT_SUCCESS.get(name, set()), "operations that never did what they are for"


def test_schemathesis_finds_nothing_in_catch_mode(services):
    service = services("catch")
    # Anybody may see what was caught, with any password: that is what the mode is for.
    selection = ["--include-tag", "catch", "--exclude-checks", "ignored_auth"]
    succeeded = schemathesis(service, "mail", *selection, "--exclude-method", "DELETE") | schemathesis(service, "mail", *selection)
    wanted = {
        operation["operationId"] for item in contract("mail")["paths"].values() for method, operation in item.items()
        if method in METHODS and "catch" in operation["tags"]}
    assert wanted - succeeded == set(), "operations that never did what they are for"
