import Octets

/// Where on the machine, or on which container network, a world lives.
struct Placement: Equatable, Sendable {
  /// The first two numbers of the world's addresses.
  var network: Network
  /// The address of every REST interface; nil: each host's own first address.
  var doors: IPAddress?
  /// A host is a container: one address each, and the registered ports.
  var containers: Bool

  /// World N on the loopback network. World 0 has its doors on 127.0.0.1, another one on 127.N.0.1.
  static func loopback(_ number: UInt8, doors: IPAddress? = nil) -> Placement {
    let network = Network(127, number)
    return Placement(network: network, doors: doors ?? network.address(0, 1), containers: false)
  }

  /// A world of containers on the network `a.b.0.0/16`.
  static func containers(_ network: Network) -> Placement {
    Placement(network: network, doors: nil, containers: true)
  }

  /// What may be reached from inside: the world's own addresses and its doors.
  var egress: [String] {
    let own = "\(network).0.0/16"
    guard let doors, !doors.isUnspecified, !network.contains(doors) else { return [own] }
    return [own, "\(doors)"]
  }
}

/// A block of 65,536 IPv4 addresses, written as its first two numbers: `127.0`.
struct Network: Hashable, Sendable, CustomStringConvertible {
  var first: UInt8
  var second: UInt8

  init(_ first: UInt8, _ second: UInt8) {
    self.first = first
    self.second = second
  }

  /// "127.0"; nil for all else.
  init?(_ text: some StringProtocol) {
    guard let address = IPAddress("\(text).0.0"), address.isV4 else { return nil }
    self.init(address.bytes[0], address.bytes[1])
  }

  var description: String { "\(first).\(second)" }

  func contains(_ address: IPAddress) -> Bool { address.isV4 && address.bytes.starts(with: [first, second]) }

  func address(_ third: UInt8, _ fourth: UInt8) -> IPAddress {
    IPAddress(v4: UInt32(first) << 24 | UInt32(second) << 16 | UInt32(third) << 8 | UInt32(fourth))
  }

  /// The same place in another network.
  func move(_ address: IPAddress, from other: Network) -> IPAddress {
    guard other.contains(address) else { return address }
    return self.address(address.bytes[2], address.bytes[3])
  }
}

/// Replaces every IPv4 address that stands in a text as a word of its own: not one that is part of a longer number or
/// name, such as `10.127.0.1.in-addr.arpa`.
func replacingAddresses(in text: String, _ replacement: (IPAddress) -> IPAddress) -> String {
  let octets = Array(text.utf8)
  var result: [UInt8] = []
  result.reserveCapacity(octets.count)
  var index = 0
  while index < octets.count {
    var end = index
    while end < octets.count, octets[end].belongsToName { end += 1 }
    let word = String(decoding: octets[index..<end], as: UTF8.self)
    if let address = IPAddress(word), address.isV4 {
      result += Array("\(replacement(address))".utf8)
    } else {
      result += octets[index..<end]
    }
    if end < octets.count { result.append(octets[end]) }
    index = end + 1
  }
  return String(decoding: result, as: UTF8.self)
}

extension UInt8 {
  /// A letter, a digit, a dot or an underscore. A hyphen ends an address (`127.0.9.1-13` is a range).
  fileprivate var belongsToName: Bool {
    switch self {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"):
      true
    default: false
    }
  }
}
