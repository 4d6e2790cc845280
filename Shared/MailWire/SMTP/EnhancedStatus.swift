import Octets

/// An enhanced status code, `class.subject.detail` (RFC 3463 §2).
public struct EnhancedStatus: Hashable, Sendable, CustomStringConvertible {
  /// 2 success, 4 transient failure, 5 permanent failure.
  public let kind: Int
  /// 0 to 999.
  public let subject: Int
  /// 0 to 999.
  public let detail: Int

  public init(_ kind: Int, _ subject: Int, _ detail: Int) {
    self.kind = kind
    self.subject = subject
    self.detail = detail
  }

  /// From `5.1.1`; nil for all else, leading zeros included.
  public init?(_ text: some Collection<UInt8>) {
    let parts = text.split(separator: 0x2E, omittingEmptySubsequences: false)
    guard parts.count == 3, parts.allSatisfy({ $0.count <= 3 && ($0.count == 1 || $0.first != 0x30) }),
      let kind = parts[0].parsedDecimal(as: Int.self), [2, 4, 5].contains(kind),
      let subject = parts[1].parsedDecimal(as: Int.self), let detail = parts[2].parsedDecimal(as: Int.self)
    else { return nil }
    self.init(kind, subject, detail)
  }

  public var description: String { "\(kind).\(subject).\(detail)" }
}
