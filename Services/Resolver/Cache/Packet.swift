/// A response encoded once and sent many times: header, question and records without OPT, and where its TTLs stand.
/// A class, so that to find and send one is to count one reference.
final class Packet: Sendable {
  /// The message; its id, RD, CD and question's case are the asker's and written anew each time.
  let bytes: [UInt8]
  let questionEnd: Int
  /// Offsets of the TTLs.
  let ttls: [UInt16]
  /// The last records of the answer section where they are one set of equal size (addresses): these rotate.
  let rotating: Range<Int>
  let rotatingSize: Int
  /// World seconds at which the TTLs were those written.
  let stored: Int64
  /// World seconds from which the packet isn't served any more.
  let expires: Int64

  static let headerSize = 12

  init(
    bytes: [UInt8], questionEnd: Int, ttls: [UInt16], rotating: Range<Int>, rotatingSize: Int, stored: Int64,
    expires: Int64
  ) {
    self.bytes = bytes
    self.questionEnd = questionEnd
    self.ttls = ttls
    self.rotating = rotating
    self.rotatingSize = rotatingSize
    self.stored = stored
    self.expires = expires
  }

  /// Writes the answer to one query.
  /// - Parameters:
  ///   - turn: a number that grows with each answer; rotates the last record set.
  ///   - limit: octets the transport takes; a longer answer is cut to its header and question, with TC.
  func write(
    to output: inout [UInt8], for query: ClientQuery, _ message: RawSpan, now: Int64, turn: Int, limit: Int
  ) {
    output.removeAll(keepingCapacity: true)
    let optSize = query.udpSize == nil ? 0 : 11
    let truncated = bytes.count + optSize > limit
    if truncated {
      output.append(contentsOf: bytes[..<questionEnd])
      for offset in 6..<12 { output[offset] = 0 }
    } else if rotatingSize == 0 {
      output.append(contentsOf: bytes)
    } else {
      let middle = rotating.lowerBound + turn % (rotating.count / rotatingSize) * rotatingSize
      output.append(contentsOf: bytes[..<rotating.lowerBound])
      output.append(contentsOf: bytes[middle..<rotating.upperBound])
      output.append(contentsOf: bytes[rotating.lowerBound..<middle])
      output.append(contentsOf: bytes[rotating.upperBound...])
    }
    output[0] = UInt8(query.id >> 8)
    output[1] = UInt8(query.id & 0xFF)
    // QR, opcode 0, TC also where no message could hold it all, and RD as asked; RA, CD as asked, and the response code.
    output[2] = 0x80 | (truncated ? 0x02 : bytes[2] & 0x02) | (query.recursionDesired ? 0x01 : 0)
    output[3] = 0x80 | (query.checkingDisabled ? 0x10 : 0) | bytes[3] & 0x0F
    for offset in Self.headerSize..<questionEnd { output[offset] = message[offset] }
    if !truncated {
      let age = UInt32(clamping: max(now - stored, 0))
      if age > 0 {
        for position in ttls {
          let offset = Int(position)
          var ttl = UInt32(output[offset]) << 24 | UInt32(output[offset + 1]) << 16
          ttl |= UInt32(output[offset + 2]) << 8 | UInt32(output[offset + 3])
          ttl -= min(ttl, age)
          output[offset] = UInt8(truncatingIfNeeded: ttl >> 24)
          output[offset + 1] = UInt8(truncatingIfNeeded: ttl >> 16)
          output[offset + 2] = UInt8(truncatingIfNeeded: ttl >> 8)
          output[offset + 3] = UInt8(truncatingIfNeeded: ttl)
        }
      }
    }
    if optSize > 0 {
      let size = UInt16(ClientQuery.udpCap)
      output[11] = 1
      output.append(0)
      output.append(0)
      output.append(41)
      output.append(UInt8(size >> 8))
      output.append(UInt8(size & 0xFF))
      output.append(0)
      output.append(0)
      output.append(query.dnssecOK ? 0x80 : 0)
      output.append(0)
      output.append(0)
      output.append(0)
    }
  }
}
