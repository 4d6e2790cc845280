import DNSWire
import HTTPWire
import ServiceKit

// From what a client sends to what the zones understand. Every refusal names the record.

extension RRsetBody {
  /// - Parameter kind: what the change is when the body does not say; nil makes it a fault.
  func change(default kind: RRsetChange.Kind?, now: Int64) throws(APIProblem) -> RRsetChange {
    let owner = try APIProblem.canonicalName(name)
    let label = "RRset \(name)/\(type)"
    guard let type = RecordType(type), !type.isMeta else {
      throw APIProblem(422, "\(label): unknown type", field: "type")
    }
    var change = RRsetChange(kind: kind ?? .replace, name: owner, type: type)
    if let changetype {
      guard let kind = RRsetChange.Kind(rawValue: changetype.uppercased()) else {
        throw APIProblem(422, "\(label): changetype must be REPLACE, DELETE, EXTEND or PRUNE", field: "changetype")
      }
      change.kind = kind
    } else if kind == nil {
      throw APIProblem(422, "\(label): changetype is missing", field: "changetype")
    }
    // What is deleted need not be readable.
    if change.kind == .delete { return change }
    if let ttl {
      guard let value = ttl.value, let seconds = UInt32(exactly: value), seconds <= Zone.maximumTTL else {
        throw APIProblem(422, "\(label): the TTL must be a whole number from 0 to 2147483647", field: "ttl")
      }
      change.ttl = seconds
    }
    if let records {
      var read: [RRset.Record] = []
      for record in records {
        do {
          // Clients send a DKIM key as one long string and rely on the server to cut it, as PowerDNS does.
          let data = try RData(type: type, text: record.content, splitsStrings: true)
          read.append(RRset.Record(data: data, isDisabled: record.disabled ?? false))
        } catch {
          throw APIProblem(
            422, "Record \(name)/\(self.type) '\(record.content)': \(error)", field: "content")
        }
      }
      change.records = read
    }
    change.comments = try comments(label, now: now)
    return change
  }

  private func comments(_ label: String, now: Int64) throws(APIProblem) -> [RRset.Comment]? {
    guard let comments else { return nil }
    guard comments.count <= Zone.commentLimit else {
      throw APIProblem(422, "\(label): more than \(Zone.commentLimit) comments", field: "comments")
    }
    var read: [RRset.Comment] = []
    for comment in comments {
      guard comment.content.utf8.count <= Zone.commentLength, comment.account?.utf8.count ?? 0 <= Zone.accountLength
      else {
        throw APIProblem(
          422, "\(label): a comment has at most \(Zone.commentLength) octets, its account \(Zone.accountLength)",
          field: "comments")
      }
      read.append(
        RRset.Comment(content: comment.content, account: comment.account ?? "", modifiedAt: comment.modifiedAt ?? now))
    }
    return read
  }
}

extension ZoneBody {
  static let kinds = ["Native", "Master", "Slave", "Primary", "Secondary", "Producer", "Consumer"]

  func canonicalKind() throws(APIProblem) -> String? {
    guard let kind else { return nil }
    guard let known = ZoneBody.kinds.first(where: { $0.lowercased() == kind.lowercased() }) else {
      throw APIProblem(422, "kind must be one of \(ZoneBody.kinds.joined(separator: ", "))", field: "kind")
    }
    return known
  }

  /// Takes over what may be said of a zone beside its data.
  func configure(_ zone: inout Zone) throws(APIProblem) {
    if let kind = try canonicalKind() { zone.kind = kind }
    if let account {
      guard account.utf8.count <= Zone.accountLength else {
        throw APIProblem(422, "account has at most \(Zone.accountLength) octets", field: "account")
      }
      zone.account = account
    }
    if let soaEditApi {
      let policies = ["", "DEFAULT", "INCREASE", "EPOCH", "SOA-EDIT", "SOA-EDIT-INCREASE", "OFF"]
      guard policies.contains(soaEditApi.uppercased()) else {
        throw APIProblem(
          422, "soa_edit_api must be one of DEFAULT, INCREASE, EPOCH, SOA-EDIT, SOA-EDIT-INCREASE, OFF",
          field: "soa_edit_api")
      }
      zone.soaEditAPI = soaEditApi.uppercased()
    }
  }

  /// The zone that POST asks for: from RRsets or from zone file text, with an SOA and NS records if there are none.
  func newZone(now: Int64, date: UInt32) throws -> Zone {
    guard let name else { throw APIProblem(422, "name is missing", field: "name") }
    var zone = Zone(name: try APIProblem.canonicalName(name))
    try configure(&zone)
    zone.rrsets = try data(now: now)
    var servers: [Name] = []
    for server in nameservers ?? [] { servers.append(try APIProblem.canonicalName(server)) }
    zone.add(servers.map { ResourceRecord(name: zone.name, ttl: 3600, data: .ns($0)) })
    addAuthority(&zone, date: date)
    return zone
  }

  /// The RRsets that the body gives, one way or the other.
  func data(now: Int64) throws -> [RRsetKey: RRset] {
    guard let name else { throw APIProblem(422, "name is missing", field: "name") }
    var zone = Zone(name: try APIProblem.canonicalName(name))
    if let text = self.zone, !text.isEmpty {
      if rrsets?.isEmpty == false { throw APIProblem(422, "give either rrsets or zone, not both", field: "zone") }
      do {
        zone.add(try ZoneFile(parsing: Array(text.utf8), origin: zone.name, defaultTTL: 3600).records)
      } catch {
        throw APIProblem(422, "zone: \(error)", field: "zone")
      }
    }
    var changes: [RRsetChange] = []
    for body in rrsets ?? [] { changes.append(try body.change(default: .replace, now: now)) }
    try zone.apply(changes)
    return zone.rrsets
  }

  private func addAuthority(_ zone: inout Zone, date: UInt32) {
    guard zone.soa == nil else { return }
    var primary = zone.name.prepending(Array("ns".utf8)) ?? zone.name
    if case .ns(let server)? = zone.rrsets[RRsetKey(name: zone.name, type: .ns)]?.active.first { primary = server }
    // Who asked for a name before it was made waits a minute for it (RFC 2308 §5), not an hour.
    let soa = SOA(
      primary: primary, mailbox: zone.name.prepending(Array("hostmaster".utf8)) ?? zone.name,
      serial: date &* 100 &+ 1, refresh: 10_800, retry: 3600, expire: 604_800, minimum: 60)
    zone.add([ResourceRecord(name: zone.name, ttl: 3600, data: .soa(soa))])
  }
}
