import EventLoop
import HTTPClient

/// Puts into the services, through their REST interfaces, what the world file says and they do not have. What is there
/// is left as it is, so a second run changes nothing.
struct Seeder: Sendable {
  /// What was done.
  struct Summary: CustomStringConvertible, Sendable {
    var made = 0
    var kept = 0

    var description: String {
      made == 0
        ? "all of \(kept) was there"
        : "\(made) made, \(kept) kept (zones, registrants, domains, mailboxes and torrents)"
    }
  }

  private let world: World
  private let token: String?
  private let client: HTTPClient

  init(_ world: World, token: String?, through client: HTTPClient) {
    self.world = world
    self.token = token
    self.client = client
  }

  func run() async throws(Trouble) -> Summary {
    var summary = Summary()
    // One host that fails leaves the others whole.
    var troubles: [Trouble] = []
    for host in world.hosts {
      do throws(Trouble) {
        try await seed(host, &summary)
      } catch {
        troubles.append(error)
      }
    }
    if let trouble = troubles.first { throw trouble }
    if summary.made > 0 { try await forgetWhatWasMissing() }
    return summary
  }

  private func seed(_ host: Host, _ summary: inout Summary) async throws(Trouble) {
    let door = world.door(to: host, token: token, through: client)
    switch host.role {
    case .nameserver(let zones): try await seed(zones, at: door, &summary)
    case .resolver: break
    case .registrar(let registry): try await seed(registry, at: door, &summary)
    case .mail(let mail): try await seed(mail, at: door, &summary)
    case .tracker: break
    case .peer(let peer): try await seed(peer, at: door, &summary)
    }
  }

  /// Who asked for a name before it was there was told so, and a resolver remembers that.
  private func forgetWhatWasMissing() async throws(Trouble) {
    for host in world.hosts {
      guard case .resolver = host.role else { continue }
      try await world.door(to: host, token: token, through: client).ask("DELETE", "/v1/cache")
    }
  }

  private func seed(_ zones: [Zone], at door: Door, _ summary: inout Summary) async throws(Trouble) {
    let path = "/api/v1/servers/localhost/zones"
    for zone in zones {
      // One by one: a host that is in use may have more zones than anybody wants to hear of.
      if try await door.ask("GET", "\(path)?zone=\(percentEncoded(zone.name))").array?.isEmpty == false {
        summary.kept += 1
      } else {
        let body: JSON = ["name": .string(zone.name), "kind": "Native", "zone": .string(zone.text)]
        let reply = try await door.send("POST", path, body)
        // Another seeder was faster.
        guard reply.isSuccess || reply.status == 409 else {
          throw Trouble("the world file's zone \(zone.name): \(door.refusal("POST", path, reply))")
        }
        summary.made += reply.isSuccess ? 1 : 0
        summary.kept += reply.isSuccess ? 0 : 1
      }
    }
  }

  private func seed(_ registry: Registry, at door: Door, _ summary: inout Summary) async throws(Trouble) {
    let registrants = try await seed(registry.registrants, at: door, &summary)
    let present = Set(try await door.items("/v1/domains").compactMap { $0["name"]?.string })
    for domain in registry.domains {
      if present.contains(domain.name) {
        summary.kept += 1
        continue
      }
      let servers = domain.nameservers.map { server -> JSON in
        ["name": .string(server.name), "addresses": [.string("\(server.address)")]]
      }
      try await door.ask(
        "POST", "/v1/domains",
        [
          "name": .string(domain.name), "years": .number(Double(domain.years)), "name_servers": .array(servers),
          "registrant": registrants[domain.registrant] ?? .null,
        ])
      summary.made += 1
    }
  }

  /// The registrants' ids by their names.
  private func seed(
    _ registrants: [Registry.Registrant], at door: Door, _ summary: inout Summary
  ) async throws(Trouble) -> [String: JSON] {
    var ids: [String: JSON] = [:]
    for present in try await door.items("/v1/registrants") {
      if let name = present["name"]?.string { ids[name] = present["id"] }
    }
    for registrant in registrants {
      if ids[registrant.name] != nil {
        summary.kept += 1
        continue
      }
      let body: JSON = ["name": .string(registrant.name), "email": .string(registrant.email)]
      ids[registrant.name] = try await door.ask("POST", "/v1/registrants", body)["id"]
      summary.made += 1
    }
    return ids
  }

  /// Files that a peer shares: their octets are made up, the same each time, and so is the torrent.
  private func seed(_ peer: PeerHost, at door: Door, _ summary: inout Summary) async throws(Trouble) {
    guard !peer.shares.isEmpty else { return }
    let present = Set(try await door.items("/v1/torrents").compactMap { $0["name"]?.string })
    for share in peer.shares {
      if present.contains(share.name) {
        summary.kept += 1
        continue
      }
      let file = "/v1/files/\(percentEncoded(share.name))"
      let reply = try await door.put(file, SampleFile.octets(share.size))
      // It is there already where a run before this one was ended in the middle.
      guard reply.isSuccess || reply.status == 409 else { throw door.refusal("PUT", file, reply) }
      let job = try await door.ask(
        "POST", "/v1/torrents", ["path": .string(share.name), "trackers": .array(announceURLs(of: peer))])
      let path = "/v1/jobs/\(job["id"]?.text ?? "")"
      var state = job
      while state["done"]?.bool != true, state["error"] == nil {
        await client.loop.sleep(for: .milliseconds(50))
        state = try await door.ask("GET", path)
      }
      if let error = state["error"]?.string { throw Trouble("the world file's share \(share.name): \(error)") }
      summary.made += 1
    }
  }

  /// By HTTP and by UDP: whichever answers.
  private func announceURLs(of peer: PeerHost) -> [JSON] {
    guard let tracker = peer.tracker.flatMap({ world.host(named: $0) }) else { return [] }
    return ["http", "udp"].map { .string("\($0)://\(tracker.address):\(world.ports.tracker)/announce") }
  }

  private func seed(_ mail: MailHost, at door: Door, _ summary: inout Summary) async throws(Trouble) {
    let names = Set(mail.mailboxes.compactMap { $0.address.split(separator: "@").last.map(String.init) })
    let domains = names.union(mail.domain.map { [$0] } ?? []).sorted()
    guard !domains.isEmpty else { return }
    let present = Set(try await door.items("/v1/domains").compactMap { $0["name"]?.string })
    for domain in domains where !present.contains(domain) {
      try await door.ask("POST", "/v1/domains", ["name": .string(domain)])
    }
    let boxes = Set(try await door.items("/v1/mailboxes").compactMap { $0["address"]?.string })
    for mailbox in mail.mailboxes {
      if boxes.contains(mailbox.address) {
        summary.kept += 1
        continue
      }
      try await door.ask(
        "POST", "/v1/mailboxes", ["address": .string(mailbox.address), "password": .string(mailbox.password)])
      summary.made += 1
    }
  }
}
