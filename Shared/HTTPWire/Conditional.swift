import Octets

/// An entity tag (RFC 9110 §8.8.3).
public struct EntityTag: Sendable, Hashable, CustomStringConvertible {
  /// What stands between the quotes.
  public let opaque: String
  public let isWeak: Bool

  /// What can't stand in a tag is left out.
  public init(_ opaque: String, isWeak: Bool = false) {
    self.opaque = String(decoding: opaque.utf8.filter { $0 > 0x20 && $0 != 0x22 && $0 != 0x7f }, as: UTF8.self)
    self.isWeak = isWeak
  }

  /// As it stands in a field: `"v1"` or `W/"v1"`.
  public var description: String { (isWeak ? "W/\"" : "\"") + opaque + "\"" }

  /// Equal and neither weak (RFC 9110 §8.8.3.2).
  public func matchesStrongly(_ other: EntityTag) -> Bool { !isWeak && !other.isWeak && opaque == other.opaque }
  /// Equal, weak or not.
  public func matchesWeakly(_ other: EntityTag) -> Bool { opaque == other.opaque }

  /// The tags of a comma-separated list; nil where the list is malformed.
  static func list(_ bytes: ArraySlice<UInt8>) -> [EntityTag]? {
    var tags: [EntityTag] = []
    var index = bytes.startIndex
    while index < bytes.endIndex {
      if bytes[index].isASCIIBlank || bytes[index] == 0x2c {
        index += 1
        continue
      }
      let isWeak = bytes[index...].starts(with: [0x57, 0x2f])
      if isWeak { index += 2 }
      guard index < bytes.endIndex, bytes[index] == 0x22,
        let end = bytes[(index + 1)...].firstIndex(of: 0x22)
      else { return nil }
      tags.append(EntityTag(String(decoding: bytes[(index + 1)..<end], as: UTF8.self), isWeak: isWeak))
      index = end + 1
      while index < bytes.endIndex, bytes[index].isASCIIBlank { index += 1 }
      guard index == bytes.endIndex || bytes[index] == 0x2c else { return nil }
    }
    return tags
  }
}

/// What identifies the state of a resource: `nil` for what it doesn't have.
public struct Validators: Sendable, Equatable {
  public var entityTag: EntityTag?
  /// Seconds since 1970.
  public var lastModified: Int64?
  /// Whether the resource exists at all; where it doesn't, `If-Match: *` fails and `If-None-Match: *` holds.
  public var exists: Bool

  public init(entityTag: EntityTag? = nil, lastModified: Int64? = nil, exists: Bool = true) {
    self.entityTag = entityTag
    self.lastModified = lastModified
    self.exists = exists
  }
}

/// What the conditions of a request lead to.
public enum Precondition: Sendable, Equatable {
  case proceed
  /// 304: the client has it already.
  case notModified
  /// 412: the resource isn't in the state the client believes.
  case failed
}

/// Which part of a representation a request asks for.
public enum RangeDecision: Sendable, Equatable {
  /// All of it, 200.
  case whole
  /// One range of its octets, 206.
  case part(Range<Int>)
  /// 416, with `content-range: bytes */size`.
  case unsatisfiable
}

extension RequestHead {
  /// Evaluates the conditions in the order of RFC 9110 §13.2.2.
  public func precondition(_ validators: Validators) -> Precondition {
    if let match = joined("if-match") {
      if !matches(match, validators, strongly: true) { return .failed }
    } else if let since = date("if-unmodified-since"), let modified = validators.lastModified, modified > since {
      return .failed
    }
    let reads = method == .get || method == .head
    if let match = joined("if-none-match") {
      if matches(match, validators, strongly: false) { return reads ? .notModified : .failed }
    } else if reads, let since = date("if-modified-since"), let modified = validators.lastModified, modified <= since {
      return .notModified
    }
    return .proceed
  }

  /// Reads Range and If-Range (RFC 9110 §13.1.5, §14.2). Several ranges, other units and malformed ranges are answered
  /// with the whole.
  ///
  /// - Parameters:
  ///   - size: octets of the representation.
  ///   - now: seconds since 1970: a Last-Modified of this very second is no strong validator (§8.8.2.2).
  public func range(size: Int, validators: Validators, now: Int64) -> RangeDecision {
    guard method == .get, let field = joined("range") else { return .whole }
    if let condition = joined("if-range") {
      if let tags = EntityTag.list(condition[...]), !tags.isEmpty {
        // The field has one tag; of several, none is believed.
        guard let current = validators.entityTag, tags.count == 1, tags[0].matchesStrongly(current) else {
          return .whole
        }
      } else {
        guard let date = HTTPDate.parse(condition), let modified = validators.lastModified, date == modified,
          modified < now
        else { return .whole }
      }
    }
    return Self.parseRange(field, size: size)
  }

  static func parseRange(_ field: [UInt8], size: Int) -> RangeDecision {
    guard field.count > 6, field[..<6].equalsIgnoringASCIICase("bytes=".utf8),
      let dash = field.firstIndex(of: 0x2d)
    else { return .whole }
    let first = field[6..<dash].drop(while: \.isASCIIBlank)
    let rest = field[(dash + 1)...]
    let last = rest.prefix(rest.count - rest.reversed().prefix(while: \.isASCIIBlank).count)
    guard first.allSatisfy(\.isASCIIDigit), last.allSatisfy(\.isASCIIDigit), !(first.isEmpty && last.isEmpty) else {
      return .whole
    }
    // A number beyond Int is beyond any size too.
    let end = last.parsedDecimal(as: Int.self) ?? Int.max
    if first.isEmpty {
      if end == 0 { return .unsatisfiable }
      return size == 0 ? .whole : .part(max(0, size - end)..<size)
    }
    let start = first.parsedDecimal(as: Int.self) ?? Int.max
    if !last.isEmpty, end < start { return .whole }
    if start >= size { return .unsatisfiable }
    return .part(start..<(last.isEmpty ? size : min(end, size - 1) + 1))
  }

  private func matches(_ list: [UInt8], _ validators: Validators, strongly: Bool) -> Bool {
    if list == [0x2a] { return validators.exists }
    guard validators.exists, let current = validators.entityTag, let tags = EntityTag.list(list[...]) else {
      return false
    }
    return tags.contains { strongly ? $0.matchesStrongly(current) : $0.matchesWeakly(current) }
  }

  private func date(_ name: StaticString) -> Int64? { joined(name).flatMap { HTTPDate.parse($0) } }

  /// The octets of a field, of several joined by a comma.
  private func joined(_ name: StaticString) -> [UInt8]? {
    guard let first = firstField(name) else { return nil }
    let span = bytes.span
    let values = fields.filter { span.equals(name, in: $0.name.range) }
    if values.count == 1 { return Array(bytes[first.range]) }
    return Array(values.map { bytes[$0.value.range] }.joined(separator: [0x2c]))
  }
}
