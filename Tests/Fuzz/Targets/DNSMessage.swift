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
  // Records give way to the limit; questions can't, and nothing answers a message with more than one.
  if message.questions.count <= 1, message.edns?.options.isEmpty != false {
    require(message.encoded(limit: 512).count <= 512, "the limit holds")
  }
  return 0
}
