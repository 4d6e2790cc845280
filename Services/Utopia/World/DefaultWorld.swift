/// The world that `utopia up` starts when no `--world FILE` is given. It is part of the executable, so an unpacked
/// archive needs no other file; `utopia world` prints it as the start of one's own.
enum DefaultWorld {
  static let yaml = #"""
    # A world: hosts with addresses, the service that runs on each, and what to put into it.
    #
    # An address that begins with `network` is a place in the world: `--net 7` makes 127.0.x.y into 127.7.x.y.
    # Neither a delegation nor an MX record carries a port, so the wire ports hold for every host.
    # A zone is its servers and its records; SOA, NS and the servers' addresses are added. A text in its place is a whole master
    # file (RFC 1035 section 5). Names without a final dot are below the zone's own name.
    name: Network Utopia
    network: 127.0
    ports: { dns: 5300, smtp: 2525, submission: 2587, pop3: 2110, tracker: 6969, bittorrent: 6881 }

    hosts:
      root:
        about: root name servers a to m
        service: nameserver
        addresses: 127.0.9.1-13
        rest: 8050
        zones:
          .:
            ttl: 86400
            servers:
              [
                a.root-servers.net., b.root-servers.net., c.root-servers.net., d.root-servers.net.,
                e.root-servers.net., f.root-servers.net., g.root-servers.net., h.root-servers.net.,
                i.root-servers.net., j.root-servers.net., k.root-servers.net., l.root-servers.net.,
                m.root-servers.net.,
              ]
            records: |
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
          com: &generic { ttl: 86400, servers: [a.gtld-servers.net.] }
          org: *generic
          aero: *generic
          jobs: *generic
          museum: *generic
          net:
            ttl: 86400
            servers: [a.gtld-servers]
            records: |
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
          edu: { ttl: 86400, servers: [a.edu-servers.net.] }

      tld-country:
        about: fr uk ca jp arpa
        service: nameserver
        addresses: 127.0.10.3
        rest: 8053
        zones:
          fr: &country { ttl: 86400, servers: [a.cctld-servers.net.] }
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
          crepes.fr:
            servers: [dns1, dns2]
            records: |
              @ A 127.0.50.10
              @ MX 10 mail
              mail A 127.0.20.2
              www CNAME crepes.fr.
          hamburger.edu:
            servers: [dns1, dns2]
            records: |
              @ A 127.0.50.11
              @ MX 10 mail
              mail A 127.0.20.1
              www CNAME hamburger.edu.
          umass.edu:
            servers: [dns]
            records: |
              www A 127.0.50.12
              cs NS dns.cs
              dns.cs A 127.0.11.1
          cs.umass.edu:
            servers: [dns]
            records: |
              gaia A 127.0.50.13
          poly.edu:
            servers: [dns1]
            records: |
              dns A 127.0.12.1
              cis A 127.0.12.2
          ibm.com:
            servers: [dns1, dns2]
            records: |
              www CNAME servereast.backup2
              servereast.backup2 A 127.0.50.20
          amazon.com:
            servers: [dns1, dns2]
            records: |
              www A 127.0.50.21
          yahoo.com:
            ttl: 60
            servers: [dns1, dns2]
            records: |
              www A 127.0.50.31
              www A 127.0.50.32
              www A 127.0.50.33
              www A 127.0.50.34
          netcinema.com:
            ttl: 300
            servers: [dns1]
            records: |
              @ A 127.0.40.1
              www A 127.0.40.1
              video CNAME a1105.kingcdn.com.
          kingcdn.com:
            ttl: 20
            servers: { dns1: 127.0.11.2 }
            records: |
              new-york A 127.0.40.11
              paris A 127.0.40.12
              tokyo A 127.0.40.13
              a1105 A 127.0.40.11
              a1105 A 127.0.40.12
              a1105 A 127.0.40.13
          example.com: &example
            ttl: 300
            servers: [dns1]
            records: |
              @ MX 10 mail
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
        # Each is registered by somebody; its name servers are those of its zone.
        domains:
          crepes.fr: alice
          hamburger.edu: bob
          umass.edu: hostmaster
          poly.edu: hostmaster
          ibm.com: hostmaster
          amazon.com: hostmaster
          yahoo.com: hostmaster
          netcinema.com: hostmaster
          kingcdn.com: hostmaster
          example.com: hostmaster
          example.org: hostmaster

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

      tracker:
        about: tells peers of each other
        service: tracker
        addresses: 127.0.30.1
        rest: 8060

      peer1:
        about: shares trailer.bin
        service: peer
        addresses: 127.0.30.11
        rest: 8061
        tracker: tracker
        # Made up, and the same each time.
        shares: { trailer.bin: 8MiB }

      peer2: { about: a peer, service: peer, addresses: 127.0.30.12, rest: 8062 }
      peer3: { about: a peer, service: peer, addresses: 127.0.30.13, rest: 8063 }
      peer4: { about: a peer, service: peer, addresses: 127.0.30.14, rest: 8064 }
    """#
}
