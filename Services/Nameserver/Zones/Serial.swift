import DNSWire

/// Serial numbers of zones (RFC 1982).
enum Serial {
  /// `left` comes after `right`.
  static func isNewer(_ left: UInt32, than right: UInt32) -> Bool {
    left != right && left &- right < 0x8000_0000
  }

  /// The serial after `serial` by a zone's policy; always a newer one.
  /// - Parameters:
  ///   - date: today as a number, 20261123.
  ///   - seconds: since 1970.
  static func next(after serial: UInt32, policy: String, date: UInt32, seconds: Int64) -> UInt32 {
    let candidate: UInt32
    switch policy {
    case "EPOCH": candidate = UInt32(truncatingIfNeeded: seconds)
    case "DEFAULT": candidate = date &* 100 &+ 1
    default: candidate = serial &+ 1
    }
    return isNewer(candidate, than: serial) ? candidate : serial &+ 1
  }
}

extension Zone {
  /// Gives the SOA a newer serial than `old`, unless a client has done so itself or sees to it alone.
  mutating func advanceSerial(from old: UInt32, date: UInt32, seconds: Int64) {
    let key = RRsetKey(name: name, type: .soa)
    guard !["", "OFF"].contains(soaEditAPI), var soa, !Serial.isNewer(soa.serial, than: old),
      let served = rrsets[key]?.records.firstIndex(where: { !$0.isDisabled })
    else { return }
    soa.serial = Serial.next(after: old, policy: soaEditAPI, date: date, seconds: seconds)
    rrsets[key]?.records[served].data = .soa(soa)
  }
}
