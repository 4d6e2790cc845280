"""Programs that are made for PowerDNS's API, against ours: run where they can be had, else the requests they send."""
import os

import acme
import dns.resolver
import pytest
import zones
from harness import TOKEN, run
from lexicon.client import Client
from lexicon.config import ConfigResolver

ZONES = "/api/v1/servers/localhost/zones"
NAME = "client.example."


@pytest.fixture(scope="module")
def server(shared_net):
    return shared_net.nameserver("names", 8054, {NAME: zones.SOA + "@ NS ns\nns A 127.N.11.1\n"}, "11.1")


@pytest.fixture
def api(server):
    """Requests as these clients send them: with their key, and JSON."""
    def ask(method, path, body=None, expected=(200, 201, 204)):
        answer = server.http.request(method, server.url + path, json=body, headers={"Authorization": None, "X-API-Key": TOKEN})
        assert answer.status_code in expected, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None
    return ask


def dig(net, *question):
    answer = run("dig", "+tries=1", "+time=10", "-p", "5300", f"@{net.at('11.1')}", "+short", *question)
    return sorted(answer.splitlines())


def test_lego_proves_a_name_by_dns01(server, shared_net, tmp_path):
    authority = acme.Authority(shared_net.at("11.1"), 5300)
    try:
        said = run(
            "lego", "--server", f"{authority.url}/directory", "--email", "ops@client.example", "--accept-tos",
            "--path", tmp_path, "--dns", "pdns", "--dns.resolvers", f"{shared_net.at('11.1')}:5300",
            # It would look for the zone's servers on port 53.
            "--dns.disable-cp", "--domains", "www.client.example", "run", check=False,
            cwd=tmp_path, env=dict(os.environ, PDNS_API_URL=server.url, PDNS_API_KEY=TOKEN))
    finally:
        authority.close()
    assert authority.is_proven, f"found {authority.found}\n{said}"
    assert dig(shared_net, "_acme-challenge.www.client.example", "TXT") == [], "lego takes its record away again"


@pytest.mark.parametrize("type, name, content, other, shown", [
    ("TXT", "_acme-challenge.lexicon", "proof; of (it)", "another", '"proof; of (it)"'),
    ("A", "host", "192.0.2.1", "192.0.2.2", "192.0.2.1"),
    ("SRV", "_sip._tcp", "1 2 5060 ns.client.example.", "2 2 5060 ns.client.example.", "1 2 5060 ns.client.example."),
])
def test_lexicon_creates_lists_and_deletes(server, shared_net, monkeypatch, type, name, content, other, shown):
    """dns-lexicon as a library, as plug-ins of certbot use it; it finds the zone by its SOA."""
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = [shared_net.at("11.1")], 5300
    monkeypatch.setattr(dns.resolver, "default_resolver", resolver)

    owner = f"{name}.client.example"
    with Client(ConfigResolver().with_dict({
            "provider_name": "powerdns", "domain": "client.example", "resolve_zone_name": True,
            "powerdns": {"auth_token": TOKEN, "pdns_server": server.url}})) as lexicon:
        for each in [content, other]:
            assert lexicon.create_record(type, owner, each)
        assert shown in dig(shared_net, owner, type) and len(dig(shared_net, owner, type)) == 2
        assert sorted(record["content"] for record in lexicon.list_records(type, owner)) == sorted([content, other])
        assert lexicon.delete_record(rtype=type, name=owner, content=content)
        left = dig(shared_net, owner, type)
        assert len(left) == 1 and shown not in left
        assert lexicon.delete_record(rtype=type, name=owner)
        assert dig(shared_net, owner, type) == []


def test_what_external_dns_sends(api, shared_net):
    """As in its provider/pdns: the zone as it was listed comes back as the body of PATCH, with the RRsets to change."""
    zone = next(zone for zone in api("GET", ZONES) if zone["name"] == NAME)
    path = f"{ZONES}/{zone['id']}"
    assert "rrsets" not in zone and api("GET", path)["rrsets"]

    def rrset(name, type, changetype, *targets, **more):
        records = [{"content": target, "disabled": False, "set-ptr": False} for target in targets]
        return dict({"name": name, "type": type, "changetype": changetype, "records": records}, **more)

    app, txt = f"app.{NAME}", f"externaldns-app.{NAME}"
    heritage = '"heritage=external-dns,external-dns/owner=default,external-dns/resource=service/default/app"'
    api("PATCH", path, dict(zone, rrsets=[
        rrset(app, "A", "REPLACE", "192.0.2.1", "192.0.2.2", ttl=300), rrset(txt, "TXT", "REPLACE", heritage, ttl=300)]))
    assert dig(shared_net, app) == ["192.0.2.1", "192.0.2.2"] and dig(shared_net, txt, "TXT") == [heritage]
    api("PATCH", path, dict(zone, rrsets=[rrset(app, "A", "REPLACE", "192.0.2.3", ttl=60)]))
    assert dig(shared_net, app) == ["192.0.2.3"]
    api("PATCH", path, dict(zone, rrsets=[
        rrset(app, "A", "DELETE", "192.0.2.3"), rrset(txt, "TXT", "DELETE", heritage)]))
    assert dig(shared_net, app) == dig(shared_net, txt, "TXT") == []
    # A CNAME that leads out of its zone it sends as PowerDNS's own type ALIAS, which there is none of here.
    refused = api("PATCH", path, dict(zone, rrsets=[
        rrset(app, "ALIAS", "REPLACE", "elsewhere.example.", ttl=300)]), expected=(422,))
    assert "ALIAS" in refused["error"]


def test_what_terraform_sends(api, shared_net):
    """As in the provider's powerdns/client.go: each RRset by itself, records with members of the API before this one."""
    assert api("GET", "/api/v1/servers")[0]["id"] == "localhost"
    name = "terraform.example."
    made = api("POST", ZONES, {
        "id": "", "name": name, "url": "", "kind": "Native", "dnsssec": False, "serial": 0,
        "nameservers": [f"ns.{NAME}"]})
    path = f"{ZONES}/{made['id']}"

    def rrset(owner, type, ttl, *contents):
        records = [{"name": owner, "type": type, "content": content, "ttl": ttl, "disabled": False, "set-ptr": False}
                   for content in contents]
        members = {"name": owner, "type": type, "changetype": "REPLACE" if contents else "DELETE", "ttl": ttl}
        return {"rrsets": [dict(members, records=records) if contents else members]}

    www = f"www.{name}"
    api("PATCH", path, rrset(www, "A", 60, "192.0.2.1", "192.0.2.2"))
    api("PATCH", path, rrset(name, "MX", 60, f"10 mail.{name}"))
    assert dig(shared_net, www) == ["192.0.2.1", "192.0.2.2"]
    shown = {(each["name"], each["type"]): each for each in api("GET", path)["rrsets"]}
    assert sorted(record["content"] for record in shown[www, "A"]["records"]) == ["192.0.2.1", "192.0.2.2"]
    assert shown[name, "NS"]["records"][0]["content"] == f"ns.{NAME}"
    api("PATCH", path, rrset(www, "A", 0))
    assert dig(shared_net, www) == []
    api("PUT", path, {"id": "", "name": name, "url": "", "kind": "Master", "dnsssec": False, "serial": 0})
    assert api("GET", path)["kind"] == "Master" and dig(shared_net, name, "MX") == [f"10 mail.{name}"]
    api("DELETE", path)
    assert api("GET", path, expected=(404,))["error"]
