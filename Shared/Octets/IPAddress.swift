/// An IPv4 or IPv6 address, without scope.
public struct IPAddress: Hashable, Sendable {
  public let isV4: Bool
  /// Network order read as numbers: an IPv4 address stands in the low 32 bits of `low`.
  @usableFromInline let high: UInt64
  @usableFromInline let low: UInt64

  @inlinable public init(v4 address: UInt32) {
    isV4 = true
    high = 0
    low = UInt64(address)
  }

  @inlinable public init(v6 high: UInt64, _ low: UInt64) {
    isV4 = false
    self.high = high
    self.low = low
  }

  /// Four or sixteen octets in network order, else nil.
  public init?(bytes: some Collection<UInt8>) {
    switch bytes.count {
    case 4: self.init(v4: bytes.reduce(0) { $0 << 8 | UInt32($1) })
    case 16:
      self.init(
        v6: bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }, bytes.dropFirst(8).reduce(0) { $0 << 8 | UInt64($1) })
    default: return nil
    }
  }

  /// Dotted decimal without leading zeros (RFC 6943 §3.1.1), or IPv6 text (RFC 4291 §2.2); nil for all else.
  public init?(_ text: some StringProtocol) {
    self.init(Array(text.utf8).span)
  }

  /// The same, in ASCII.
  public init?(_ text: Span<UInt8>) {
    if let address = IPAddress.parseV4(text) {
      self.init(v4: address)
    } else {
      guard let words = IPAddress.parseV6(text) else { return nil }
      self.init(
        v6: words.prefix(4).reduce(0) { $0 << 16 | UInt64($1) }, words.dropFirst(4).reduce(0) { $0 << 16 | UInt64($1) })
    }
  }

  /// Network order: 4 or 16 octets.
  public var bytes: [UInt8] {
    if isV4 { return (0..<4).map { UInt8(truncatingIfNeeded: low >> UInt64(24 - 8 * $0)) } }
    return (0..<16).map { UInt8(truncatingIfNeeded: ($0 < 8 ? high : low) >> UInt64(56 - 8 * ($0 % 8))) }
  }

  /// The IPv4 address as a number in host order, where it is one.
  @inlinable public var v4: UInt32? { isV4 ? UInt32(truncatingIfNeeded: low) : nil }
  /// The two halves of an IPv6 address as numbers in host order.
  @inlinable public var v6: (high: UInt64, low: UInt64)? { isV4 ? nil : (high, low) }

  public static let anyV4 = IPAddress(v4: 0)
  public static let anyV6 = IPAddress(v6: 0, 0)
  public static let loopbackV4 = IPAddress(v4: 0x7F00_0001)
  public static let loopbackV6 = IPAddress(v6: 0, 1)

  /// 127.0.0.0/8, ::1, and their IPv4-mapped form.
  public var isLoopback: Bool { isV4 ? low >> 24 == 127 : high == 0 && (low == 1 || low >> 24 == 0xFFFF_7F) }
  /// 0.0.0.0 or ::.
  public var isUnspecified: Bool { high == 0 && low == 0 }

  /// The IPv4 address inside ::ffff:0:0/96 (RFC 4291 §2.5.5.2), or this address: what a dual-stack socket's peer really is.
  public var unmapped: IPAddress {
    !isV4 && high == 0 && low >> 32 == 0xFFFF ? IPAddress(v4: UInt32(truncatingIfNeeded: low)) : self
  }

  private static func parseV4(_ text: Span<UInt8>) -> UInt32? {
    guard text.count <= 15 else { return nil }
    var address: UInt32 = 0
    var part: UInt32 = 0
    var digits = 0
    var dots = 0
    for index in text.indices {
      if text[index] == 0x2E {
        guard digits > 0, dots < 3 else { return nil }
        address = address << 8 | part
        dots += 1
        part = 0
        digits = 0
      } else {
        guard text[index].isASCIIDigit, digits == 0 || part > 0 else { return nil }
        part = part * 10 + UInt32(text[index] &- 0x30)
        digits += 1
        guard part <= 255 else { return nil }
      }
    }
    return digits > 0 && dots == 3 ? address << 8 | part : nil
  }

  private static func parseV6(_ text: Span<UInt8>) -> [UInt16]? {
    // "::" is the shortest.
    guard 2...45 ~= text.count, text.indices.contains(where: { text[$0] == 0x3A }) else { return nil }
    let octets = unsafe text.withUnsafeBufferPointer { unsafe Array($0) }
    let fields = octets.split(separator: 0x3A, omittingEmptySubsequences: false)
    guard fields.count >= 3, fields.count <= 9 else { return nil }
    var words: [UInt16] = []
    var gap: Int?
    for (index, field) in fields.enumerated() {
      if field.isEmpty {
        // "::" is one empty field within, two at an end; a lone colon at an end is an error.
        if index == 0 {
          guard fields[1].isEmpty else { return nil }
        } else if index == fields.count - 1 {
          guard fields[index - 1].isEmpty else { return nil }
        } else {
          guard gap == nil else { return nil }
          gap = words.count
        }
      } else if index == fields.count - 1, field.contains(0x2E) {
        guard let v4 = parseV4(field.span) else { return nil }
        words.append(UInt16(v4 >> 16))
        words.append(UInt16(truncatingIfNeeded: v4))
      } else {
        guard field.count <= 4 else { return nil }
        var word: UInt16 = 0
        for octet in field {
          guard let digit = octet.hexDigit else { return nil }
          word = word << 4 | UInt16(digit)
        }
        words.append(word)
      }
    }
    guard let gap else { return words.count == 8 ? words : nil }
    guard words.count <= 7 else { return nil }
    words.insert(contentsOf: [UInt16](repeating: 0, count: 8 - words.count), at: gap)
    return words
  }
}

extension IPAddress: CustomStringConvertible {
  /// Dotted decimal, or the canonical IPv6 text of RFC 5952 §4.
  public var description: String {
    if isV4 { return bytes.map { String($0) }.joined(separator: ".") }
    let mapped = unmapped
    if mapped.isV4 { return "::ffff:\(mapped)" }
    let words = (0..<8).map { UInt16(truncatingIfNeeded: ($0 < 4 ? high : low) >> UInt64(48 - 16 * ($0 % 4))) }
    var best = 0..<0
    var index = 0
    while index < 8 {
      var end = index
      while end < 8, words[end] == 0 { end += 1 }
      if end - index > best.count { best = index..<end }
      index = max(end, index + 1)
    }
    let hex = { (words: ArraySlice<UInt16>) in words.map { String($0, radix: 16) }.joined(separator: ":") }
    guard best.count >= 2 else { return hex(words[...]) }
    return hex(words[..<best.lowerBound]) + "::" + hex(words[best.upperBound...])
  }
}

/// A block of addresses in CIDR notation.
public struct IPNetwork: Hashable, Sendable, CustomStringConvertible {
  public let base: IPAddress
  /// Bits of prefix: 0 to 32, or 0 to 128.
  public let prefix: Int

  /// "127.9.0.0/16", "fd00::/8", or a bare address, which is a block of one; host bits must be zero.
  public init?(_ text: some StringProtocol) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count <= 2, let first = parts.first, let address = IPAddress(first) else { return nil }
    let width = address.isV4 ? 32 : 128
    var bits = width
    if parts.count == 2 {
      guard let value = Array(parts[1].utf8).parsedDecimal(as: Int.self), value <= width else { return nil }
      bits = value
    }
    base = address
    prefix = bits
    guard IPNetwork.masked(address, bits) == address else { return nil }
  }

  public func contains(_ address: IPAddress) -> Bool {
    let address = address.unmapped
    return address.isV4 == base.isV4 && IPNetwork.masked(address, prefix) == base
  }

  private static func masked(_ address: IPAddress, _ bits: Int) -> IPAddress {
    if let v4 = address.v4 { return IPAddress(v4: bits == 0 ? 0 : v4 & (~0 << UInt32(32 - bits))) }
    let high = bits >= 64 ? address.high : (bits == 0 ? 0 : address.high & (~0 << UInt64(64 - bits)))
    let low = bits >= 128 ? address.low : (bits <= 64 ? 0 : address.low & (~0 << UInt64(128 - bits)))
    return IPAddress(v6: high, low)
  }

  public var description: String { "\(base)/\(prefix)" }
}

/// An address and a port.
public struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
  public var ip: IPAddress
  public var port: UInt16

  @inlinable public init(ip: IPAddress, port: UInt16) {
    self.ip = ip
    self.port = port
  }

  /// "127.0.0.1:53" or "[::1]:53"; the port is needed.
  public init?(_ text: some StringProtocol) {
    guard let colon = text.lastIndex(of: ":") else { return nil }
    var host = text[..<colon]
    if host.first == "[" {
      guard host.last == "]" else { return nil }
      host = host.dropFirst().dropLast()
      guard host.contains(":") else { return nil }
    } else if host.contains(":") {
      return nil
    }
    guard let ip = IPAddress(host),
      let port = Array(text[text.index(after: colon)...].utf8).parsedDecimal(as: UInt16.self)
    else { return nil }
    self.init(ip: ip, port: port)
  }

  public var description: String { ip.isV4 ? "\(ip):\(port)" : "[\(ip)]:\(port)" }
}
