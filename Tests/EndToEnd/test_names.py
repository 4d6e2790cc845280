"""gaia.cs.umass.edu as in the slides, iterated and recursive, with ten of the thirteen root servers dead."""
import pytest
import zones
from harness import ROOT, TOKEN, run


@pytest.fixture(scope="module")
def resolver(shared_net):
    return zones.tree(shared_net)


def dig(net, server, *question):
    return run("dig", "+tries=1", "+time=10", "-p", "5300", f"@{net.at(server)}", *question)


def test_iterated_each_server_names_the_next(resolver, shared_net):
    root = dig(shared_net, "9.3", "+norecurse", "gaia.cs.umass.edu")
    assert "a.edu-servers.net." in root and "flags: qr;" in root
    assert shared_net.at("10.2") in root

    top = dig(shared_net, "10.2", "+norecurse", "gaia.cs.umass.edu")
    assert "dns.umass.edu." in top and shared_net.at("11.1") in top

    middle = dig(shared_net, "11.1", "+norecurse", "gaia.cs.umass.edu")
    assert "dns.cs.umass.edu." in middle and shared_net.at("11.2") in middle

    last = dig(shared_net, "11.2", "+norecurse", "gaia.cs.umass.edu")
    assert "flags: qr aa;" in last and shared_net.at("50.13") in last


def test_recursive_through_the_local_resolver(resolver, shared_net):
    answer = dig(shared_net, "12.1", "gaia.cs.umass.edu")
    assert "status: NOERROR" in answer and shared_net.at("50.13") in answer
    assert " ra" in answer.split("flags:")[1].split(";")[0]
    again = dig(shared_net, "12.1", "+tcp", "gaia.cs.umass.edu")
    assert shared_net.at("50.13") in again


def test_what_does_not_exist_is_said_so(resolver, shared_net):
    answer = dig(shared_net, "12.1", "ketchup.cs.umass.edu")
    assert "status: NXDOMAIN" in answer and "SOA" in answer
    empty = dig(shared_net, "12.1", "gaia.cs.umass.edu", "AAAA")
    assert "status: NOERROR" in empty and "ANSWER: 0" in empty


def test_the_walk_is_told_in_json(resolver, shared_net):
    resolver.ask("DELETE", "/v1/cache")
    answer = resolver.ask("GET", "/resolve?name=gaia.cs.umass.edu&type=A&trace=1")
    assert answer["Status"] == 0
    assert [record["data"] for record in answer["Answer"]] == [shared_net.at("50.13")]
    steps = answer["Trace"]
    assert [step["step"] for step in steps] == list(range(1, len(steps) + 1))
    assert (steps[0]["kind"], steps[0]["result"], steps[0]["detail"]) == ("cache", "delegation", "root hints")
    # Most of the root servers are dead, and the walk may have had to find that out.
    asked = [step for step in steps[1:] if step["result"] not in ("timeout", "unreachable")]
    roots = {shared_net.at(f"9.{number}") + ":5300" for number in range(1, 14)}
    assert asked[0]["server"] in roots
    assert [step["server"] for step in asked[1:]] == [f"{shared_net.at(place)}:5300" for place in ["10.2", "11.1", "11.2"]]
    assert [step["result"] for step in asked] == ["referral", "referral", "referral", "answer"]
    assert [step["zone"] for step in asked] == [".", "edu.", "umass.edu.", "cs.umass.edu."]
    assert len({step["id"] for step in asked}) > 1, "each query has an id of its own"
    for step in asked:
        assert step["question"] == {"name": "gaia.cs.umass.edu.", "type": 1}
        assert step["transport"] == "udp" and step["rcode"] == "NOERROR" and not step["recursion_desired"] and step["rtt"] > 0
        assert step["flags"] == (["qr", "aa"] if step["result"] == "answer" else ["qr"])
        shown = {section: len(step.get(section, [])) for section in ["Answer", "Authority"]}
        assert shown == {"Answer": step["counts"]["answer"], "Authority": step["counts"]["authority"]}
        # The OPT record of EDNS is counted, as on the wire, and is no record to show.
        assert step["counts"]["additional"] - len(step.get("Additional", [])) in (0, 1)
        assert all(record["TTL"] > 0 for section in shown for record in step.get(section, []))

    again = resolver.ask("GET", "/resolve?name=gaia.cs.umass.edu&type=A&trace=1")
    assert [(step["kind"], step["result"]) for step in again["Trace"]] == [("cache", "answer")]


def test_octodns_syncs_a_zone_unchanged(resolver, shared_net, tmp_path):
    hosting = next(service for service in shared_net.services if service.directory.name == "hosting")
    host, port = hosting.door.split(":")
    (tmp_path / "zones").mkdir()
    (tmp_path / "zones" / "octo.example.yaml").write_text("""---
'':
  - {type: NS, values: [dns1.octo.example.]}
  - {type: MX, values: [{preference: 10, exchange: mail.octo.example.}]}
_sip._tcp: {type: SRV, values: [{priority: 1, weight: 2, port: 5060, target: mail.octo.example.}]}
dns1: {type: A, values: [192.0.2.1]}
mail:
  - {type: A, values: [192.0.2.2, 192.0.2.3]}
  - {type: AAAA, values: ['2001:db8::2']}
txt: {type: TXT, values: ['v=spf1 -all', 'k=rsa\\; p=LONG']}
'*': {type: A, value: 192.0.2.9}
_443._tcp.www:
  type: TLSA
  value: {certificate_usage: 3, selector: 1, matching_type: 1, certificate_association_data: d2abde240d7cd3ee}
caa: {type: CAA, values: [{flags: 0, tag: issue, value: ca.example}]}
host: {type: SSHFP, value: {algorithm: 1, fingerprint_type: 1, fingerprint: bf6b6825d2977c511a475bbefb88aad54a92ac73}}
https: {type: HTTPS, value: {svcpriority: 1, targetname: ., svcparams: {alpn: [h2, h3], port: 8443, ipv4hint: [192.0.2.1]}}}
naptr:
  type: NAPTR
  value: {order: 10, preference: 100, flags: S, service: SIP+D2U, regexp: '!^.*$!sip:a@example.com!', replacement: .}
ptr: {type: PTR, value: mail.octo.example.}
sub:
  - {type: NS, values: [ns.elsewhere.example.]}
  - {type: DS, value: {key_tag: 60485, algorithm: 5, digest_type: 1, digest: 2bb183af5f22588179a53b0a98631fad1a292118}}
www: {type: CNAME, value: mail.octo.example.}
""".replace("LONG", "A" * 400))
    (tmp_path / "config.yaml").write_text(f"""---
providers:
  files: {{class: octodns.provider.yaml.YamlProvider, directory: {tmp_path}/zones, default_ttl: 300, enforce_order: false}}
  server: {{class: octodns_powerdns.PowerDnsProvider, host: {host}, port: {port}, api_key: {TOKEN},
    scheme: http, ssl_verify: false}}
zones:
  octo.example.: {{sources: [files], targets: [server]}}
""")
    sync = [ROOT / ".venv/bin/octodns-sync", "--config-file", tmp_path / "config.yaml"]
    assert "Create" in run(*sync, "--doit")
    found = dig(shared_net, "11.1", "+short", "mail.octo.example", "A").split()
    assert sorted(found) == ["192.0.2.2", "192.0.2.3"]
    assert "No changes were planned" in run(*sync, "--doit"), "the second time nothing is left to do"
