import Octets

/// A domain name in wire format (RFC 1035 §3.1): its case is kept, and it is compared without case (RFC 4343).
public struct Name: Sendable {
  /// Octets of the longest name, the root's length octet included.
  public static let maximumLength = 255
  /// Labels that fit in it, the root's aside.
  static let maximumLabels = 127
  /// Octets of the longest label.
  public static let maximumLabelLength = 63
  public static let root = Name(uncheckedWire: [0])

  /// Length-prefixed labels, ended by the root's zero octet; never compressed.
  public let wire: [UInt8]

  init(uncheckedWire wire: [UInt8]) { self.wire = wire }

  /// The name that begins at `offset`, which then moves past it. Compression pointers must lead strictly backwards.
  public init(decoding message: RawSpan, at offset: inout Int) throws(WireError) {
    var cursor = WireCursor(offset, end: message.byteCount)
    self = try cursor.name(message)
    offset = cursor.offset
  }

  /// A name of these labels, the leftmost first; nil when a label is empty or too long, or all together are.
  public init?(labels: some Sequence<some Collection<UInt8>>) {
    var wire: [UInt8] = []
    for label in labels {
      guard !label.isEmpty, label.count <= Name.maximumLabelLength else { return nil }
      wire.append(UInt8(label.count))
      wire.append(contentsOf: label)
    }
    wire.append(0)
    guard wire.count <= Name.maximumLength else { return nil }
    self.wire = wire
  }

  public var isRoot: Bool { wire.count == 1 }
  /// The leftmost label is a lone asterisk (RFC 4592 §2.1.1).
  public var isWildcard: Bool { wire.count > 2 && wire[0] == 1 && wire[1] == 0x2A }

  /// Where each label's length octet stands in `wire`, leftmost first, without the root's.
  public var labelOffsets: [Int] {
    var offsets: [Int] = []
    var offset = 0
    while wire[offset] != 0 {
      offsets.append(offset)
      offset += 1 + Int(wire[offset])
    }
    return offsets
  }

  /// Labels, leftmost first, without the root's.
  public var labels: [ArraySlice<UInt8>] {
    labelOffsets.map { wire[($0 + 1)..<($0 + 1 + Int(wire[$0]))] }
  }

  /// Labels, the root's not counted.
  public var labelCount: Int {
    var count = 0
    var offset = 0
    while wire[offset] != 0 {
      count += 1
      offset += 1 + Int(wire[offset])
    }
    return count
  }

  /// The name without its leftmost label; nil for the root.
  public var parent: Name? {
    isRoot ? nil : Name(uncheckedWire: Array(wire[(1 + Int(wire[0]))...]))
  }

  /// The rightmost `count` labels of this name; the name itself when it has no more than that.
  public func suffix(labels count: Int) -> Name {
    let offsets = labelOffsets
    guard count < offsets.count else { return self }
    return count <= 0 ? .root : Name(uncheckedWire: Array(wire[offsets[offsets.count - count]...]))
  }

  /// This name at or below `ancestor`.
  public func isAtOrBelow(_ ancestor: Name) -> Bool {
    var offset = 0
    while wire.count - offset > ancestor.wire.count { offset += 1 + Int(wire[offset]) }
    guard wire.count - offset == ancestor.wire.count else { return false }
    return wire[offset...].equalsIgnoringASCIICase(ancestor.wire)
  }

  /// This name strictly below `ancestor`.
  public func isBelow(_ ancestor: Name) -> Bool {
    wire.count > ancestor.wire.count && isAtOrBelow(ancestor)
  }

  /// A name with one more label to the left; nil when label or name become too long.
  public func prepending(_ label: some Collection<UInt8>) -> Name? {
    guard !label.isEmpty, label.count <= Name.maximumLabelLength, wire.count + 1 + label.count <= Name.maximumLength
    else { return nil }
    return Name(uncheckedWire: [UInt8(label.count)] + Array(label) + wire)
  }

  /// `*.` before this name.
  public var wildcardChild: Name? { prepending([0x2A]) }

  /// The labels of this name before `old` put before `new` (RFC 6672 §2.2); nil when this name is not below `old`
  /// or the result is too long.
  public func replacing(suffix old: Name, with new: Name) -> Name? {
    guard isAtOrBelow(old), wire.count - old.wire.count + new.wire.count <= Name.maximumLength else { return nil }
    return Name(uncheckedWire: Array(wire[..<(wire.count - old.wire.count)]) + new.wire)
  }

  /// All letters in lower case: the canonical form (RFC 4034 §6.2). Length octets are below 64 and stay as they are.
  public var lowercased: Name { Name(uncheckedWire: wire.map(\.asciiLowercased)) }
}

extension Name: Hashable {
  public static func == (left: Name, right: Name) -> Bool {
    guard left.wire.count == right.wire.count else { return false }
    for index in left.wire.indices where left.wire[index].asciiLowercased != right.wire[index].asciiLowercased {
      return false
    }
    return true
  }

  public func hash(into hasher: inout Hasher) {
    var word: UInt64 = 0
    var held = 0
    for octet in wire {
      word = word << 8 | UInt64(octet.asciiLowercased)
      held += 1
      if held == 8 {
        hasher.combine(word)
        word = 0
        held = 0
      }
    }
    hasher.combine(word)
  }
}

extension Name: Comparable {
  /// Canonical order (RFC 4034 §6.1): by label from the right, each as lower-case octets; a name comes before those
  /// below it.
  public static func < (left: Name, right: Name) -> Bool {
    var (lefts, rights) = (left.labels, right.labels)
    while let a = lefts.popLast() {
      guard let b = rights.popLast() else { return false }
      if a.equalsIgnoringASCIICase(b) { continue }
      return a.lexicographicallyPrecedes(b) { $0.asciiLowercased < $1.asciiLowercased }
    }
    return !rights.isEmpty
  }

  /// Octets whose plain order is the canonical order of names: to sort many names, make each key once.
  public var canonicalKey: [UInt8] {
    var key: [UInt8] = []
    key.reserveCapacity(wire.count)
    for offset in labelOffsets.reversed() {
      // A label ends with 0, which must not be mistaken for its octets 0 and 1.
      for octet in wire[(offset + 1)...(offset + Int(wire[offset]))] {
        if octet <= 1 { key += [1, octet + 1] } else { key.append(octet.asciiLowercased) }
      }
      key.append(0)
    }
    return key
  }
}
