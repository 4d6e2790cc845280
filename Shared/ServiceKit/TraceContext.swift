import Octets

/// W3C Trace Context: which trace a message belongs to. It is handed on as an explicit parameter.
public struct TraceContext: Hashable, Sendable {
  public let trace: [UInt8]
  public let span: [UInt8]
  public let isSampled: Bool

  /// A new trace.
  public init() {
    var random = SystemRandomNumberGenerator()
    func octets(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 1...255, using: &random) } }
    trace = octets(16)
    span = octets(8)
    isSampled = true
  }

  private init(trace: [UInt8], span: [UInt8], isSampled: Bool) {
    self.trace = trace
    self.span = span
    self.isSampled = isSampled
  }

  /// Reads the `traceparent` header; nil where it is not valid, and then a new trace begins (Trace Context §3.2).
  public init?(traceparent text: String) {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count >= 4, parts.prefix(4).allSatisfy({ $0.utf8.allSatisfy { $0.isASCIIDigit || 0x61...0x66 ~= $0 } }),
      let version = Hex.decode(parts[0]), version.count == 1, version[0] != 0xFF, version[0] != 0 || parts.count == 4,
      let trace = Hex.decode(parts[1]), trace.count == 16, trace.contains(where: { $0 != 0 }),
      let span = Hex.decode(parts[2]), span.count == 8, span.contains(where: { $0 != 0 }),
      let flags = Hex.decode(parts[3]), flags.count == 1
    else { return nil }
    self.init(trace: trace, span: span, isSampled: flags[0] & 1 == 1)
  }

  /// Reads the value of EDNS option 65500 in dnsdist's layout: version 0, a reserved octet, trace, span, flags. To be believed
  /// from configured networks only.
  public init?(ednsOption octets: [UInt8]) {
    guard octets.count == 27, octets[0] == 0, octets[2..<18].contains(where: { $0 != 0 }),
      octets[18..<26].contains(where: { $0 != 0 })
    else { return nil }
    self.init(trace: Array(octets[2..<18]), span: Array(octets[18..<26]), isSampled: octets[26] & 1 == 1)
  }

  /// The value of EDNS option 65500.
  public var ednsOption: [UInt8] { [0, 0] + trace + span + [isSampled ? 1 : 0] }

  /// The same trace, from a new span of this process.
  public var child: TraceContext {
    let fresh = TraceContext()
    return TraceContext(trace: trace, span: fresh.span, isSampled: isSampled)
  }

  public var traceparent: String { "00-\(Hex.encode(trace))-\(Hex.encode(span))-\(isSampled ? "01" : "00")" }
}
