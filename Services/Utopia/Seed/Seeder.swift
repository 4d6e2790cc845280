import EventLoop

/// Puts into the services, through their REST interfaces, what the world file says and they do not have. What is there
/// is left as it is, so a second run changes nothing.
struct Seeder: Sendable {
  /// What was done.
  struct Summary: CustomStringConvertible, Sendable {
    var made = 0
    var kept = 0

    var description: String {
      made == 0 ? "all of \(kept) was there" : "\(made) made, \(kept) kept (zones, domains and mailboxes)"
    }
  }

  private let world: World
  private let token: String?
  private let loop: EventLoop

  init(_ world: World, token: String?, on loop: EventLoop) {
    self.world = world
    self.token = token
    self.loop = loop
  }

  func run() async throws(Trouble) -> Summary {
    var summary = Summary()
    for host in world.hosts {
      let door = world.door(to: host, token: token, on: loop)
      switch host.role {
      case .nameserver(let zones): try await seed(zones, at: door, &summary)
      case .resolver: break
      case .registrar(let registry): try await seed(registry, at: door, &summary)
      case .mail(let mail): try await seed(mail, at: door, &summary)
      }
    }
    return summary
  }

  private func seed(_ zones: [Zone], at door: Door, _ summary: inout Summary) async throws(Trouble) {
    let path = "/api/v1/servers/localhost/zones"
    let present = Set(try await door.ask("GET", path).array?.compactMap { $0["name"]?.string } ?? [])
    for zone in zones {
      if present.contains(zone.name) {
        summary.kept += 1
      } else {
        let body: JSON = ["name": .string(zone.name), "kind": "Native", "zone": .string(zone.text)]
        try await door.ask("POST", path, body)
        summary.made += 1
      }
    }
  }

  private func seed(_ registry: Registry, at door: Door, _ summary: inout Summary) async throws(Trouble) {
    let present = Set(try await door.items("/v1/domains").compactMap { $0["name"]?.string })
    for domain in registry.domains {
      if present.contains(domain.name) {
        summary.kept += 1
        continue
      }
      let nameservers = domain.nameservers.map { server -> JSON in
        ["name": .string(server.name), "addresses": [.string("\(server.address)")]]
      }
      let body: JSON = [
        "name": .string(domain.name), "years": .number(Double(domain.years)), "nameservers": .array(nameservers),
      ]
      try await door.ask("POST", "/v1/domains", body)
      summary.made += 1
    }
  }

  private func seed(_ mail: MailHost, at door: Door, _ summary: inout Summary) async throws(Trouble) {
    guard !mail.mailboxes.isEmpty else { return }
    let present = Set(try await door.items("/v1/mailboxes").compactMap { $0["address"]?.string })
    for mailbox in mail.mailboxes {
      if present.contains(mailbox.address) {
        summary.kept += 1
        continue
      }
      try await door.ask(
        "POST", "/v1/mailboxes", ["address": .string(mailbox.address), "password": .string(mailbox.password)])
      summary.made += 1
    }
  }
}
