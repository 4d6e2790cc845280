import DNSWire
import Octets

/// What the resolver wants of records.
extension ResourceRecord {
  /// Of A and AAAA.
  var address: IPAddress? {
    switch data {
    case .address(let address): address
    default: nil
    }
  }

  /// Of NS.
  var nameServer: Name? {
    if case .ns(let name) = data { name } else { nil }
  }

  /// Where a CNAME or DNAME leads.
  var alias: Name? {
    switch data {
    case .cname(let name), .dname(let name): name
    default: nil
    }
  }

  static func alias(_ name: Name, to target: Name, ttl: UInt32) -> ResourceRecord {
    ResourceRecord(name: name, ttl: ttl, data: .cname(target))
  }
}

extension RecordType {
  /// Whether an alias is what was asked for, so that it isn't followed.
  var isAnsweredByAlias: Bool { self == .cname || self == .any }
}

extension Name {
  /// Octets in memory, about.
  var memory: Int { wire.count + 32 }
}

extension ResourceRecord {
  /// Octets in memory, about.
  var memory: Int {
    let inner =
      switch data {
      case .address: 0
      case .ns(let name), .cname(let name), .ptr(let name), .dname(let name), .mx(_, let name): name.memory
      case .soa(let soa): soa.primary.memory + soa.mailbox.memory + 96
      case .srv(let srv): srv.target.memory + 64
      case .txt(let strings): strings.reduce(32) { $0 + $1.count + 48 }
      case .caa(let caa): caa.tag.count + caa.value.count + 128
      case .unknown(_, let octets): octets.count + 32
      }
    return name.memory + inner + MemoryLayout<ResourceRecord>.size
  }
}
