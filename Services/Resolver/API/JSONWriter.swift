import Octets

/// Writes JSON in the order it is told, without a tree in between.
struct JSONWriter {
  private(set) var bytes: [UInt8] = []
  private var needsComma = false

  mutating func object(_ key: String? = nil, _ body: (inout JSONWriter) -> Void) {
    nest(key, 0x7B, 0x7D, body)
  }

  mutating func array(_ key: String? = nil, _ body: (inout JSONWriter) -> Void) {
    nest(key, 0x5B, 0x5D, body)
  }

  mutating func array<Element>(
    _ key: String?, _ elements: some Sequence<Element>, _ body: (inout JSONWriter, Element) -> Void
  ) {
    array(key) { json in
      for element in elements { body(&json, element) }
    }
  }

  mutating func string(_ key: String? = nil, _ value: String) {
    begin(key)
    quote(value)
  }

  mutating func number(_ key: String? = nil, _ value: some BinaryInteger) {
    begin(key)
    bytes.appendDecimal(value)
  }

  mutating func boolean(_ key: String, _ value: Bool) {
    begin(key)
    bytes += Array((value ? "true" : "false").utf8)
  }

  /// Seconds with six places.
  mutating func seconds(_ key: String, _ value: Duration) {
    begin(key)
    let (seconds, attoseconds) = value.components
    bytes.appendDecimal(max(seconds, 0))
    bytes.append(0x2E)
    let digits = String(max(attoseconds, 0) / 1_000_000_000_000)
    bytes += [UInt8](repeating: 0x30, count: 6 - digits.utf8.count) + Array(digits.utf8)
  }

  private mutating func nest(_ key: String?, _ open: UInt8, _ close: UInt8, _ body: (inout JSONWriter) -> Void) {
    begin(key)
    bytes.append(open)
    needsComma = false
    body(&self)
    bytes.append(close)
    needsComma = true
  }

  private mutating func begin(_ key: String?) {
    if needsComma { bytes.append(0x2C) }
    needsComma = true
    guard let key else { return }
    quote(key)
    bytes.append(0x3A)
  }

  /// Text of records is printable ASCII already; the rest is made so here (RFC 8259 §7).
  private mutating func quote(_ text: String) {
    bytes.append(0x22)
    for octet in text.utf8 {
      switch octet {
      case 0x22, 0x5C: bytes += [0x5C, octet]
      case 0..<0x20: bytes += Array("\\u00".utf8) + Array(Hex.encode([octet]).utf8)
      default: bytes.append(octet)
      }
    }
    bytes.append(0x22)
  }
}
