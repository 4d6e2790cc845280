import DNSWire

/// What decodes can be encoded, and decodes to the same again.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard let message = try? Message(decoding: unsafe octets(data, count)) else { return 0 }
  let encoded = message.encoded()
  guard let again = try? Message(decoding: encoded) else {
    require(false, "what was encoded decodes")
    return 0
  }
  if !again.header.isTruncated { require(again == message, "a round trip changes nothing") }
  // Records give way to the limit; header, questions and OPT can't.
  var bare = message
  (bare.answers, bare.authorities, bare.additionals) = ([], [], [])
  let limit = max(512, bare.encoded().count)
  require(message.encoded(limit: limit).count <= limit, "the limit holds")
  return 0
}
