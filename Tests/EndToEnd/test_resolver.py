"""The resolver's other doors: DNS over HTTP (RFC 8484), and the cache as its administrator sees it."""
import base64
import pathlib
import re
import resource

import dns.flags
import dns.message
import dns.rcode
import pytest
import zones

MESSAGE = "application/dns-message"


@pytest.fixture(scope="module")
def resolver(shared_net):
    return zones.tree(shared_net)


def names(resolver):
    return {(item["name"], item["type"], item["kind"]) for item in resolver.ask("GET", "/v1/cache?limit=1000")["items"]}


def trace(resolver, name):
    """The kinds of a walk's steps, but for those to root servers that are dead."""
    steps = resolver.ask("GET", f"/resolve?name={name}&trace=1")["Trace"]
    return [step["kind"] for step in steps if step["result"] != "unreachable"]


def test_a_query_in_the_body_and_in_the_address_has_the_answer_of_dns(resolver, shared_net):
    resolver.ask("DELETE", "/v1/cache")
    query = dns.message.make_query("gaia.cs.umass.edu", "A", use_edns=0, payload=1232)
    query.id = 0
    posted = resolver.http.post(f"{resolver.url}/dns-query", data=query.to_wire(), headers={"Content-Type": MESSAGE})
    text = base64.urlsafe_b64encode(query.to_wire()).rstrip(b"=").decode()
    got = resolver.http.get(f"{resolver.url}/dns-query", params={"dns": text})
    for answer in [posted, got]:
        assert answer.status_code == 200 and answer.headers["Content-Type"] == MESSAGE
        message = dns.message.from_wire(answer.content)
        assert message.id == 0 and message.question == query.question and message.rcode() == dns.rcode.NOERROR
        assert message.flags & dns.flags.QR and message.flags & dns.flags.RA and not message.flags & dns.flags.TC
        assert [item.address for item in message.answer[0]] == [shared_net.at("50.13")]
        # RFC 8484 §5.1: what HTTP keeps lives no longer than what DNS keeps.
        assert answer.headers["Cache-Control"] == f"max-age={message.answer[0].ttl}"


def test_a_name_that_is_not_there_is_an_answer_too(resolver):
    query = dns.message.make_query("ketchup.cs.umass.edu", "A")
    answer = resolver.http.post(f"{resolver.url}/dns-query", data=query.to_wire(), headers={"Content-Type": MESSAGE})
    message = dns.message.from_wire(answer.content)
    assert answer.status_code == 200 and message.rcode() == dns.rcode.NXDOMAIN and message.authority
    assert answer.headers["Cache-Control"] == f"max-age={message.authority[0].ttl}"


@pytest.mark.parametrize("content, kind, status", [
    (b"", MESSAGE, 422), (b"\0" * 11, MESSAGE, 422), (b"\0\0\x80" + b"\0" * 9, MESSAGE, 422),
    (b"\0" * 12, "text/plain", 415), (b"\0" * 70_000, MESSAGE, 413)])
def test_what_is_no_query_is_said_so_in_http(resolver, content, kind, status):
    answer = resolver.http.post(f"{resolver.url}/dns-query", data=content, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json" and answer.json()["status"] == status


def test_a_name_is_forgotten_with_all_below_it_and_nothing_else(resolver):
    resolver.ask("DELETE", "/v1/cache")
    assert names(resolver) == set()
    assert trace(resolver, "gaia.cs.umass.edu")[1:] == ["query"] * 4
    trace(resolver, "ketchup.cs.umass.edu")
    assert trace(resolver, "gaia.cs.umass.edu") == ["cache"]
    known = names(resolver)
    assert ("gaia.cs.umass.edu.", 1, "records") in known and ("ketchup.cs.umass.edu.", 0, "no_such_name") in known
    assert ("umass.edu.", 2, "records") in known
    resolver.ask("DELETE", "/v1/cache/cs.umass.edu")
    gone = known - names(resolver)
    assert gone == {entry for entry in known if entry[0].endswith("cs.umass.edu.")}
    # Only the last part of the way is walked again.
    assert trace(resolver, "gaia.cs.umass.edu") == ["cache", "query", "query"]


@pytest.mark.parametrize("method, path, field", [
    ("GET", "/resolve?name=gaia.cs.umass.edu&typ=MX", "typ"), ("GET", "/resolve?name=a.edu&name=b.edu", "name"),
    ("GET", "/v1/cache?name=edu", "name"), ("DELETE", "/v1/cache?name=edu", "name")])
def test_a_parameter_that_is_none_or_twice_is_named(resolver, method, path, field):
    trace(resolver, "gaia.cs.umass.edu")
    answer = resolver.http.request(method, resolver.url + path)
    assert answer.status_code == 400 and answer.json()["field"] == field
    assert names(resolver), "nothing was forgotten"


def test_each_entry_of_the_cache_names_its_loop(resolver):
    trace(resolver, "gaia.cs.umass.edu")
    assert {item["loop"] for item in resolver.ask("GET", "/v1/cache")["items"]} <= set(range(256))


def test_the_cache_is_the_administrators_alone(resolver):
    for method, path in [("GET", "/v1/cache"), ("DELETE", "/v1/cache"), ("DELETE", "/v1/cache/edu")]:
        answer = resolver.http.request(method, resolver.url + path, headers={"Authorization": "Bearer wrong"})
        assert answer.status_code == 401
    assert names(resolver)


def test_a_service_takes_all_the_descriptors_it_may_have(net):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        service = net.resolver("resolver", 8055, "12.1", ["9.1"])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    limits = pathlib.Path(f"/proc/{service.process.pid}/limits").read_text()
    assert re.search(rf"Max open files +{hard} +{hard} ", limits), limits
