import Octets
import ServiceKit

/// What comes in and goes out as JSON, in the shapes of openapi/registrar.yaml.
enum Bodies {
  struct NewRegistrant: Decodable {
    let name: String
    let email: String?
  }

  struct NewDomain: Decodable {
    let name: String
    let years: Int
    let nameServers: [NameServerIn]
    let registrant: Int?
  }

  struct NameServersIn: Decodable {
    let nameServers: [NameServerIn]
  }

  struct NameServerIn: Decodable {
    let name: String
    let addresses: [String]?
  }

  struct Renewal: Decodable {
    let years: Int
  }

  struct TopLevelDomain: Encodable {
    let name: String
  }

  struct Availability: Encodable {
    let name: String
    let available: Bool
    let reason: String?
  }

  struct RegistrantOut: Encodable {
    let id: Int
    let name: String
    let email: String?
    let createdAt: WorldTime
    let token: String?

    init(_ registrant: Registrant, token: String? = nil) {
      id = registrant.id
      name = registrant.name
      email = registrant.email
      createdAt = registrant.createdAt
      self.token = token
    }
  }

  struct NameServerOut: Encodable {
    let name: String
    let addresses: [String]?
  }

  struct OrderOut: Encodable {
    let kind: String
    let attempts: Int
    let lastError: String?
    let nextAttemptAt: WorldTime
  }

  struct RefusalOut: Encodable {
    let reason: String
    let at: WorldTime
  }

  struct DomainOut: Encodable {
    let name: String
    let status: String
    let registrant: Int?
    let createdAt: WorldTime
    let expiresAt: WorldTime
    let nameServers: [NameServerOut]
    let order: OrderOut?
    let refused: RefusalOut?

    init(_ domain: Domain, refused refusal: Refusal? = nil) {
      name = domain.name.text
      status = domain.order.map { $0.kind.isFinal ? "deleting" : "pending" } ?? "active"
      registrant = domain.registrant
      createdAt = domain.createdAt
      expiresAt = domain.expiresAt
      nameServers = domain.nameServers.map { server in
        let addresses = server.addresses.map { "\($0)" }
        return NameServerOut(name: server.name.text, addresses: addresses.isEmpty ? nil : addresses)
      }
      order = domain.order.map { order in
        OrderOut(
          kind: order.kind.rawValue, attempts: order.attempts, lastError: order.lastError,
          nextAttemptAt: order.nextAttempt)
      }
      refused = refusal.map { RefusalOut(reason: $0.reason, at: $0.at) }
    }
  }

  /// - Throws: `RuleError` for what is no host name.
  static func domainName(_ text: String, field: String) throws(RuleError) -> DomainName {
    guard let name = DomainName(text) else {
      throw RuleError(
        field: field, reason: "must be a host name of letters, digits and hyphens, such as dns1.example.com")
    }
    return name
  }

  /// - Throws: `RuleError` for what the registry does not accept.
  static func nameServers(_ servers: [NameServerIn], of domain: DomainName) throws(RuleError) -> [NameServer] {
    var result: [NameServer] = []
    for (index, server) in servers.prefix(Delegation.nameServerLimit + 1).enumerated() {
      let field = "name_servers[\(index)]"
      var addresses: [IPAddress] = []
      for (place, text) in (server.addresses ?? []).prefix(Delegation.nameServerLimit + 1).enumerated() {
        guard let address = IPAddress(text) else {
          throw RuleError(field: "\(field).addresses[\(place)]", reason: "must be an IPv4 or IPv6 address")
        }
        addresses.append(address)
      }
      result.append(NameServer(name: try domainName(server.name, field: "\(field).name"), addresses: addresses))
    }
    try Delegation.check(result, of: domain)
    return result
  }
}
