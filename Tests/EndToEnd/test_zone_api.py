"""The zone API on a running name server: what it says and what is served are one."""
import concurrent.futures
import re

import pytest
import zones
from harness import run

ZONES = "/api/v1/servers/localhost/zones"
TEXT = zones.SOA + """
@ NS ns
@ MX 10 mail
ns A 192.0.2.1
mail A 192.0.2.2
www CNAME mail
*.wild TXT "a \\"quoted\\" ; text" second
_sip._tcp SRV 1 2 5060 mail
"""


@pytest.fixture(scope="module")
def server(shared_net):
    return shared_net.nameserver("names", 8054, {}, "11.1")


@pytest.fixture
def zone(server):
    """The path of a zone that is made for one test."""
    server.ask("POST", ZONES, json={"name": "api.example.", "kind": "Native", "zone": TEXT})
    yield f"{ZONES}/api.example."
    server.ask("DELETE", f"{ZONES}/api.example.")


def dig(net, *question):
    return run("dig", "+tries=1", "+time=10", "-p", "5300", f"@{net.at('11.1')}", "+short", *question).split("\n")[:-1]


def contents(server, zone):
    """{(name, type): (TTL, contents)} but for the serial."""
    found = {}
    for rrset in server.ask("GET", zone)["rrsets"]:
        records = sorted(record["content"] for record in rrset["records"])
        if rrset["type"] == "SOA":
            records = [re.sub(r"^(\S+ \S+) \d+", r"\1 SERIAL", record) for record in records]
        found[rrset["name"], rrset["type"]] = (rrset["ttl"], records)
    return found


def soa(server, zone):
    return next(rrset for rrset in server.ask("GET", zone)["rrsets"] if rrset["type"] == "SOA")["records"][0]["content"]


def is_newer(serial, old):
    """RFC 1982."""
    return serial != old and (serial - old) % 2**32 < 2**31


def test_put_replaces_the_data_and_keeps_the_soa(server, zone, shared_net):
    before, old = server.ask("GET", zone), soa(server, zone).split()
    server.ask("PUT", zone, json={"rrsets": [
        {"name": "api.example.", "type": "NS", "ttl": 60, "records": [{"content": "ns.api.example."}]},
        {"name": "new.api.example.", "type": "A", "ttl": 60, "records": [{"content": "192.0.2.77"}]}]})
    assert dig(shared_net, "new.api.example") == ["192.0.2.77"]
    assert dig(shared_net, "mail.api.example") == [], "what is not in the request is gone"
    new = soa(server, zone).split()
    assert new[:2] + new[3:] == old[:2] + old[3:], "but for its serial"
    assert is_newer(int(new[2]), int(old[2])) and server.ask("GET", zone)["serial"] == int(new[2]) != before["serial"]
    assert dig(shared_net, "api.example", "SOA") == [" ".join(new)]
    assert set(contents(server, zone)) == {("api.example.", "SOA"), ("api.example.", "NS"), ("new.api.example.", "A")}


def test_put_of_settings_leaves_the_data_alone(server, zone):
    before, serial = contents(server, zone), server.ask("GET", zone)["serial"]
    server.ask("PUT", zone, json={"kind": "master", "account": "ops"})
    after = server.ask("GET", zone)
    assert (after["kind"], after["account"], after["serial"]) == ("Master", "ops", serial)
    assert contents(server, zone) == before


@pytest.mark.parametrize("rrset, named", [
    ({"name": "www.api.example.", "type": "A", "ttl": 60, "records": [{"content": "192.0.2"}]}, "www.api.example./A"),
    ({"name": "www.other.example.", "type": "A", "ttl": 60, "records": [{"content": "192.0.2.1"}]}, "www.other.example./A"),
    ({"name": "a.api.example.", "type": "A", "ttl": 60.5, "records": [{"content": "192.0.2.1"}]}, "a.api.example./A"),
    ({"name": "k.api.example.", "type": "TXT", "ttl": 60, "records": [{"content": "v=DKIM1; k=rsa; p=ABC"}]}, "k.api.example./TXT"),
    ({"name": "api.example.", "type": "CAA", "ttl": 60, "records": [{"content": "0 issue ca.example; a=b"}]}, "api.example./CAA"),
])
def test_what_is_refused_leaves_all_as_it_was(server, zone, shared_net, rrset, named):
    before, serial = contents(server, zone), soa(server, zone)
    good = {"name": "good.api.example.", "type": "A", "ttl": 60, "records": [{"content": "192.0.2.88"}]}
    for method in ["PUT", "PATCH"]:
        sets = [dict(each, changetype="REPLACE") for each in [good, rrset]]
        answer = server.http.request(method, server.url + zone, json={"rrsets": sets})
        assert answer.status_code == 422 and named in answer.json()["error"], answer.text
        assert contents(server, zone) == before and soa(server, zone) == serial
        assert dig(shared_net, "good.api.example") == []


def test_more_types_than_a_name_may_have_are_refused(server, zone, shared_net):
    sets = [{"name": "big.api.example.", "type": f"TYPE{number}", "ttl": 1, "changetype": "REPLACE",
             "records": [{"content": "\\# 0"}]} for number in range(300, 300 + 33_000)]
    answer = server.http.patch(server.url + zone, json={"rrsets": sets})
    assert answer.status_code == 422 and "big.api.example./TYPE" in answer.json()["error"], answer.text
    assert dig(shared_net, "mail.api.example") == ["192.0.2.2"]


def test_an_exported_zone_makes_the_same_zone(server, zone, shared_net):
    exported = server.http.get(f"{server.url}{zone}/export")
    assert exported.headers["Content-Type"].startswith("text/plain")
    before, old = contents(server, zone), soa(server, zone)
    assert len(before) == len({tuple(line.split("\t")[i] for i in (0, 3)) for line in exported.text.splitlines()}) == 8
    server.ask("DELETE", zone)
    assert dig(shared_net, "mail.api.example") == []
    server.ask("POST", ZONES, json={"name": "api.example.", "kind": "Native", "zone": exported.text})
    assert contents(server, zone) == before and soa(server, zone) == old
    assert dig(shared_net, "x.wild.api.example", "TXT") == [r'"a \"quoted\" ; text" "second"']


@pytest.mark.parametrize("action", ["notify", "rectify"])
def test_what_there_is_nothing_to_do_for_is_accepted(server, zone, action):
    assert server.ask("PUT", f"{zone}/{action}")["result"]
    missing = server.http.put(f"{server.url}{ZONES}/none.example./{action}")
    assert missing.status_code == 404 and "none.example." in missing.json()["error"]


def test_every_refusal_says_error_as_clients_of_powerdns_read_it(server, zone):
    stranger = server.http.get(server.url + zone, headers={"Authorization": None, "X-API-Key": "wrong"})
    assert stranger.status_code == 401 and "X-API-Key" in stranger.json()["error"]
    assert "WWW-Authenticate" in stranger.headers
    nowhere = server.http.get(f"{server.url}/api/v1/servers/localhost/nothing")
    assert nowhere.status_code == 404 and nowhere.json()["error"] == nowhere.json()["detail"]
    nothing = server.http.patch(server.url + zone, data="{", headers={"Content-Type": "application/json"})
    assert nothing.status_code == 400 and nothing.json()["error"]


def test_a_reset_during_changes_leaves_what_is_served(shared_net):
    """The process is killed after resets amid changes: what it serves again is what it served."""
    server = shared_net.nameserver("resets", 8055, {}, "11.2")
    rrsets = [{"name": f"h{number}.big.example.", "type": "A", "ttl": 60, "records": [{"content": "192.0.2.1"}]}
              for number in range(5_000)]
    change = {"rrsets": [dict(rrsets[0], changetype="REPLACE", records=[{"content": "192.0.2.9"}])]}
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for _ in range(3):
            server.ask("POST", f"{ZONES}?rrsets=false", json={"name": "big.example.", "kind": "Native", "rrsets": rrsets})
            patched = pool.submit(server.ask, "PATCH", f"{ZONES}/big.example.", json=change)
            reset = pool.submit(server.ask, "POST", "/v1/reset")
            # The reset may have come first, and then there is no such zone.
            assert patched.exception() is None or "404" in str(patched.exception())
            reset.result()
            assert server.ask("GET", ZONES) == []
            server.kill()
            server.start()
            assert server.ask("GET", ZONES) == []
