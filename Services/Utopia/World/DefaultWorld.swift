/// The world that `utopia up` starts when no `--world FILE` is given. It is part of the executable, so an unpacked
/// archive needs no other file; `utopia world` prints it as the start of one's own.
enum DefaultWorld {
  static let yaml = #"""
    # A world: hosts with addresses, the service that runs on each, and what to put into it.
    #
    # An address that begins with `network` is a place in the world: `--net 7` makes 127.0.x.y into 127.7.x.y.
    # Neither a delegation nor an MX record carries a port, so the wire ports hold for every host.
    # Zones are master files (RFC 1035 section 5); names without a final dot are below the zone's own name.
    name: Network Utopia
    network: 127.0
    ports: { dns: 5300, smtp: 2525, submission: 2587, pop3: 2110 }

    hosts:
      root:
        about: root name servers a to m
        service: nameserver
        addresses: 127.0.9.1-13
        rest: 8050
        zones:
          .: |
            $TTL 86400
            @ SOA a.root-servers.net. hostmaster.root-servers.net. 1 1800 900 604800 60
            @ NS a.root-servers.net.
            @ NS b.root-servers.net.
            @ NS c.root-servers.net.
            @ NS d.root-servers.net.
            @ NS e.root-servers.net.
            @ NS f.root-servers.net.
            @ NS g.root-servers.net.
            @ NS h.root-servers.net.
            @ NS i.root-servers.net.
            @ NS j.root-servers.net.
            @ NS k.root-servers.net.
            @ NS l.root-servers.net.
            @ NS m.root-servers.net.
            a.root-servers.net. A 127.0.9.1
            b.root-servers.net. A 127.0.9.2
            c.root-servers.net. A 127.0.9.3
            d.root-servers.net. A 127.0.9.4
            e.root-servers.net. A 127.0.9.5
            f.root-servers.net. A 127.0.9.6
            g.root-servers.net. A 127.0.9.7
            h.root-servers.net. A 127.0.9.8
            i.root-servers.net. A 127.0.9.9
            j.root-servers.net. A 127.0.9.10
            k.root-servers.net. A 127.0.9.11
            l.root-servers.net. A 127.0.9.12
            m.root-servers.net. A 127.0.9.13
            com NS a.gtld-servers.net.
            net NS a.gtld-servers.net.
            org NS a.gtld-servers.net.
            aero NS a.gtld-servers.net.
            jobs NS a.gtld-servers.net.
            museum NS a.gtld-servers.net.
            edu NS a.edu-servers.net.
            fr NS a.cctld-servers.net.
            uk NS a.cctld-servers.net.
            ca NS a.cctld-servers.net.
            jp NS a.cctld-servers.net.
            arpa NS a.cctld-servers.net.
            a.gtld-servers.net. A 127.0.10.1
            a.edu-servers.net. A 127.0.10.2
            a.cctld-servers.net. A 127.0.10.3

      tld-generic:
        about: com net org aero jobs museum
        service: nameserver
        addresses: 127.0.10.1
        rest: 8051
        zones:
          com: &generic |
            $TTL 86400
            @ SOA a.gtld-servers.net. hostmaster.gtld-servers.net. 1 1800 900 604800 60
            @ NS a.gtld-servers.net.
          org: *generic
          aero: *generic
          jobs: *generic
          museum: *generic
          net: |
            $TTL 86400
            @ SOA a.gtld-servers.net. hostmaster.gtld-servers.net. 1 1800 900 604800 60
            @ NS a.gtld-servers.net.
            a.gtld-servers A 127.0.10.1
            a.edu-servers A 127.0.10.2
            a.cctld-servers A 127.0.10.3
            a.root-servers A 127.0.9.1
            b.root-servers A 127.0.9.2
            c.root-servers A 127.0.9.3
            d.root-servers A 127.0.9.4
            e.root-servers A 127.0.9.5
            f.root-servers A 127.0.9.6
            g.root-servers A 127.0.9.7
            h.root-servers A 127.0.9.8
            i.root-servers A 127.0.9.9
            j.root-servers A 127.0.9.10
            k.root-servers A 127.0.9.11
            l.root-servers A 127.0.9.12
            m.root-servers A 127.0.9.13

      tld-edu:
        about: edu
        service: nameserver
        addresses: 127.0.10.2
        rest: 8052
        zones:
          edu: |
            $TTL 86400
            @ SOA a.edu-servers.net. hostmaster.edu-servers.net. 1 1800 900 604800 60
            @ NS a.edu-servers.net.

      tld-country:
        about: fr uk ca jp arpa
        service: nameserver
        addresses: 127.0.10.3
        rest: 8053
        zones:
          fr: &country |
            $TTL 86400
            @ SOA a.cctld-servers.net. hostmaster.cctld-servers.net. 1 1800 900 604800 60
            @ NS a.cctld-servers.net.
          uk: *country
          ca: *country
          jp: *country
          arpa: *country

      hosting:
        about: name servers dns1 and dns2
        service: nameserver
        addresses: 127.0.11.1-2
        rest: 8054
        zones:
          crepes.fr: |
            $TTL 3600
            @ SOA dns1 hostmaster 1 3600 900 604800 60
            @ NS dns1
            @ NS dns2
            @ A 127.0.50.10
            @ MX 10 mail
            dns1 A 127.0.11.1
            dns2 A 127.0.11.2
            mail A 127.0.20.2
            www CNAME crepes.fr.
          hamburger.edu: |
            $TTL 3600
            @ SOA dns1 hostmaster 1 3600 900 604800 60
            @ NS dns1
            @ NS dns2
            @ A 127.0.50.11
            @ MX 10 mail
            dns1 A 127.0.11.1
            dns2 A 127.0.11.2
            mail A 127.0.20.1
            www CNAME hamburger.edu.
          umass.edu: |
            $TTL 3600
            @ SOA dns hostmaster 1 3600 900 604800 60
            @ NS dns
            dns A 127.0.11.1
            www A 127.0.50.12
            cs NS dns.cs
            dns.cs A 127.0.11.1
          cs.umass.edu: |
            $TTL 3600
            @ SOA dns hostmaster 1 3600 900 604800 60
            @ NS dns
            dns A 127.0.11.1
            gaia A 127.0.50.13
          poly.edu: |
            $TTL 3600
            @ SOA dns1 hostmaster 1 3600 900 604800 60
            @ NS dns1
            dns1 A 127.0.11.1
            dns A 127.0.12.1
            cis A 127.0.12.2
          ibm.com: |
            $TTL 3600
            @ SOA dns1 hostmaster 1 3600 900 604800 60
            @ NS dns1
            @ NS dns2
            dns1 A 127.0.11.1
            dns2 A 127.0.11.2
            www CNAME servereast.backup2
            servereast.backup2 A 127.0.50.20
          amazon.com: |
            $TTL 3600
            @ SOA dns1 hostmaster 1 3600 900 604800 60
            @ NS dns1
            @ NS dns2
            dns1 A 127.0.11.1
            dns2 A 127.0.11.2
            www A 127.0.50.21
          yahoo.com: |
            $TTL 60
            @ SOA dns1 hostmaster 1 3600 900 604800 60
            @ NS dns1
            @ NS dns2
            dns1 A 127.0.11.1
            dns2 A 127.0.11.2
            www A 127.0.50.31
            www A 127.0.50.32
            www A 127.0.50.33
            www A 127.0.50.34
          netcinema.com: |
            $TTL 300
            @ SOA dns1 hostmaster 1 3600 900 604800 60
            @ NS dns1
            dns1 A 127.0.11.1
            @ A 127.0.40.1
            www A 127.0.40.1
            video CNAME a1105.kingcdn.com.
          kingcdn.com: |
            $TTL 20
            @ SOA dns1 hostmaster 1 3600 900 604800 20
            @ NS dns1
            dns1 A 127.0.11.2
            new-york A 127.0.40.11
            paris A 127.0.40.12
            tokyo A 127.0.40.13
            a1105 A 127.0.40.11
            a1105 A 127.0.40.12
            a1105 A 127.0.40.13
          example.com: &example |
            $TTL 300
            @ SOA dns1 hostmaster 1 3600 900 604800 60
            @ NS dns1
            @ MX 10 mail
            dns1 A 127.0.11.1
            mail A 127.0.20.3
          example.org: *example

      resolver:
        about: local resolver dns.poly.edu
        service: resolver
        addresses: 127.0.12.1
        rest: 8055
        hints: root

      registrar:
        about: where domains are registered
        service: registrar
        addresses: 127.0.13.1
        rest: 8056
        tlds:
          com: tld-generic
          net: tld-generic
          org: tld-generic
          aero: tld-generic
          jobs: tld-generic
          museum: tld-generic
          edu: tld-edu
          fr: tld-country
          uk: tld-country
          ca: tld-country
          jp: tld-country
        registrants:
          alice: alice@crepes.fr
          bob: bob@hamburger.edu
          hostmaster: hostmaster@example.com
        domains:
          crepes.fr:
            registrant: alice
            nameservers: { dns1.crepes.fr: 127.0.11.1, dns2.crepes.fr: 127.0.11.2 }
          hamburger.edu:
            registrant: bob
            nameservers: { dns1.hamburger.edu: 127.0.11.1, dns2.hamburger.edu: 127.0.11.2 }
          umass.edu:
            registrant: hostmaster
            nameservers: { dns.umass.edu: 127.0.11.1 }
          poly.edu:
            registrant: hostmaster
            nameservers: { dns1.poly.edu: 127.0.11.1 }
          ibm.com:
            registrant: hostmaster
            nameservers: { dns1.ibm.com: 127.0.11.1, dns2.ibm.com: 127.0.11.2 }
          amazon.com:
            registrant: hostmaster
            nameservers: { dns1.amazon.com: 127.0.11.1, dns2.amazon.com: 127.0.11.2 }
          yahoo.com:
            registrant: hostmaster
            nameservers: { dns1.yahoo.com: 127.0.11.1, dns2.yahoo.com: 127.0.11.2 }
          netcinema.com:
            registrant: hostmaster
            nameservers: { dns1.netcinema.com: 127.0.11.1 }
          kingcdn.com:
            registrant: hostmaster
            nameservers: { dns1.kingcdn.com: 127.0.11.2 }
          example.com:
            registrant: hostmaster
            nameservers: { dns1.example.com: 127.0.11.1 }
          example.org:
            registrant: hostmaster
            nameservers: { dns1.example.org: 127.0.11.1 }

      mail.hamburger.edu:
        about: Bob's mail server
        service: mail
        addresses: 127.0.20.1
        rest: 8025
        domain: hamburger.edu
        mailboxes: { bob@hamburger.edu: hungry }

      mail.crepes.fr:
        about: Alice's mail server
        service: mail
        addresses: 127.0.20.2
        rest: 8026
        domain: crepes.fr
        mailboxes: { alice@crepes.fr: ketchup }

      catch:
        about: takes any letter, for your tests
        service: mail
        hostname: mail.example.com
        addresses: 127.0.20.3
        rest: 8027
        catch: true
    """#
}
