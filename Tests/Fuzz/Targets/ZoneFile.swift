import DNSWire

/// A zone that parses can be written, and parses to the same records again.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard let origin = Name("example.com"),
    let zone = try? ZoneFile(parsing: unsafe octets(data, count), origin: origin, defaultTTL: 60)
  else { return 0 }
  let text = ZoneFile.text(zone.records)
  guard let again = try? ZoneFile(parsing: text, origin: origin) else {
    require(false, "what was written parses")
    return 0
  }
  require(again.records == zone.records, "a round trip changes nothing")
  return 0
}
