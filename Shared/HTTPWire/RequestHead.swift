/// A part of `RequestHead.bytes`.
public struct Extent: Sendable, Equatable {
  public let start: UInt32
  public let count: UInt32

  public init(_ range: Range<Int>) {
    start = UInt32(truncatingIfNeeded: range.lowerBound)
    count = UInt32(truncatingIfNeeded: range.count)
  }

  @inlinable public var range: Range<Int> { Int(start)..<Int(start) &+ Int(count) }
  @inlinable public var isEmpty: Bool { count == 0 }

  static let empty = Extent(0..<0)
}

/// How the content after a head ends (RFC 9112 §6.3).
public enum BodyFraming: Sendable, Equatable {
  /// There is none.
  case none
  /// So many octets follow; never 0.
  case length(Int)
  /// Chunks follow, then trailers.
  case chunked
}

/// The versions that are spoken.
public enum Version: Sendable, Equatable {
  case http10, http11
}

/// The forms of a request target (RFC 9112 §3.2); CONNECT's authority-form isn't implemented.
public enum TargetForm: Sendable, Equatable {
  case origin, absolute, asterisk
}

/// A request's head: one flat copy of its bytes, and where in them each part lies.
///
/// Nothing is decoded into a `String` until it is asked for.
public struct RequestHead: Sendable {
  /// The head as it came; the decoded path follows it where it differs from what came.
  public internal(set) var bytes: [UInt8] = []
  public internal(set) var method = Method.get
  public internal(set) var version = Version.http11
  public internal(set) var form = TargetForm.origin
  public internal(set) var framing = BodyFraming.none
  /// Whether the connection may carry another request after this one.
  public internal(set) var keepsAlive = true
  /// Whether the client waits for `100 Continue` before it sends content.
  public internal(set) var expectsContinue = false
  /// The target as it came.
  public internal(set) var target = Extent.empty
  /// The path, percent-decoded once and then without dot segments; it begins with `/`, and is `*` in asterisk-form.
  public internal(set) var path = Extent.empty
  /// What follows the first `?`, as it came.
  public internal(set) var query = Extent.empty
  /// The host and port the request is for: from the target in absolute-form, else from Host; empty in HTTP/1.0 without it.
  public internal(set) var authority = Extent.empty
  public internal(set) var fields: [Field] = []

  /// The authority without its port, and without the brackets of an IPv6 address.
  public var host: Extent { Extent(Authority.host(bytes.span, authority.range)) }

  /// One field line; names keep their case and values have no blanks around them.
  public struct Field: Sendable {
    public let name: Extent
    public let value: Extent
  }

  public init() {}

  /// The octets of a part, as text; what isn't UTF-8 is replaced.
  public func text(_ extent: Extent) -> String { String(decoding: bytes[extent.range], as: UTF8.self) }

  /// The first field named `name`, which must be given in lower case.
  public func firstField(_ name: StaticString) -> Extent? {
    let span = bytes.span
    for index in fields.indices where span.equals(name, in: fields[index].name.range) {
      return fields[index].value
    }
    return nil
  }

  /// The value of the field named `name` (in lower case); of several, their values joined by `, ` (RFC 9110 §5.3).
  public func value(_ name: StaticString) -> String? {
    var joined: String?
    let span = bytes.span
    for field in fields where span.equals(name, in: field.name.range) {
      if let before = joined {
        joined = before + ", " + text(field.value)
      } else {
        joined = text(field.value)
      }
    }
    return joined
  }

  /// Every field as text, in order.
  public var allFields: [(name: String, value: String)] {
    fields.map { (text($0.name), text($0.value)) }
  }

  mutating func reset() {
    bytes.removeAll(keepingCapacity: true)
    fields.removeAll(keepingCapacity: true)
    method = .get
    version = .http11
    form = .origin
    framing = .none
    keepsAlive = true
    expectsContinue = false
    target = .empty
    path = .empty
    query = .empty
    authority = .empty
  }
}
