import Octets

/// What must be known of a client's query to answer it from the packet cache: read in place, without allocation.
///
/// Only the common form is understood: one question of class IN, an uncompressed name, and nothing after it but one OPT.
/// All else goes through the full codec, which also knows what is wrong with it.
struct ClientQuery {
  let id: UInt16
  let recursionDesired: Bool
  let checkingDisabled: Bool
  let type: UInt16
  /// Where the question ends; it starts at 12.
  let questionEnd: Int
  /// Of the question with its letters lowered, keyed by the seed it was parsed with.
  let hash: UInt64
  /// The UDP payload the client can take (RFC 6891 §6.2.3), or nil without EDNS.
  let udpSize: UInt16?
  /// The DO bit (RFC 3225), echoed in the answer.
  let dnssecOK: Bool

  static let headerSize = 12

  /// Nil for anything but the common form.
  init?(_ message: RawSpan, seed: UInt64) {
    let count = message.byteCount
    guard count >= 17 else { return nil }
    let high = message[2]
    let low = message[3]
    // QR and opcode zero; one question; no answer or authority; at most one additional record.
    guard high & 0xF8 == 0, message.word(4) == 1, message.word(6) == 0, message.word(8) == 0, message.word(10) <= 1
    else { return nil }
    var offset = Self.headerSize
    var hash = seed
    while true {
      guard offset < count else { return nil }
      let length = Int(message[offset])
      guard length < 64, offset + length + 5 <= count, offset - Self.headerSize + length < 255 else { return nil }
      hash = Self.mix(hash, UInt8(length))
      offset += 1
      if length == 0 { break }
      for position in offset..<offset + length { hash = Self.mix(hash, message[position].asciiLowercased) }
      offset += length
    }
    let type = message.word(offset)
    guard message.word(offset + 2) == 1 else { return nil }
    hash = Self.mix(Self.mix(hash, UInt8(truncatingIfNeeded: type >> 8)), UInt8(truncatingIfNeeded: type))
    questionEnd = offset + 4
    if message.word(10) == 1 {
      let start = questionEnd
      // Root owner, OPT, version 0, and options that fill the message to its end.
      guard start + 11 <= count, message[start] == 0, message.word(start + 1) == 41, message[start + 6] == 0,
        start + 11 + Int(message.word(start + 9)) == count
      else { return nil }
      udpSize = message.word(start + 3)
      dnssecOK = message[start + 7] & 0x80 != 0
    } else {
      guard questionEnd == count else { return nil }
      udpSize = nil
      dnssecOK = false
    }
    id = message.word(0)
    recursionDesired = high & 1 != 0
    checkingDisabled = low & 0x10 != 0
    self.type = type
    self.hash = hash ^ hash >> 32
  }

  @inline(__always)
  static func mix(_ hash: UInt64, _ octet: UInt8) -> UInt64 {
    let product = (hash ^ UInt64(octet)).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
    return product.high ^ product.low
  }

  /// The most octets an answer over UDP may have (RFC 6891 §6.2.5, and 1232 as the cap that no path fragments).
  var udpLimit: Int { min(max(Int(udpSize ?? 512), 512), Self.udpCap) }
  static let udpCap = 1232
}

extension RawSpan {
  /// One octet, with its bound checked.
  @inline(__always)
  subscript(_ offset: Int) -> UInt8 {
    unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
  }

  /// Two octets in network order.
  @inline(__always)
  func word(_ offset: Int) -> UInt16 {
    UInt16(self[offset]) << 8 | UInt16(self[offset + 1])
  }
}
