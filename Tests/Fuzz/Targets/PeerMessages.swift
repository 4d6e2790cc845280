import TorrentWire

/// A peer's octets: cut anywhere they are the same messages, and each is written as it was read.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = unsafe octets(data, count)
  guard let first = input.first else { return 0 }
  let pieceCount = first & 1 == 0 ? nil : Int(first) + 1
  let rest = Array(input.dropFirst())
  let (whole, wholeFault) = read([rest], pieceCount)
  let cut = Int(first) % (rest.count + 1)
  let (parts, partsFault) = read([Array(rest[..<cut]), Array(rest[cut...])], pieceCount)
  // A length that can be none is told as soon as it is here, with or without the kind behind it.
  require(whole == parts && (wholeFault == nil) == (partsFault == nil), "cuts change nothing")
  var written: [UInt8] = []
  for message in whole {
    if case .unknown = message { return 0 }
    message.append(to: &written)
  }
  require(rest.starts(with: written), "what is read is written")
  for message in whole {
    guard case .extended(_, let payload) = message else { continue }
    if let handshake = ExtensionHandshake(payload) {
      require(ExtensionHandshake(handshake.encoded) == handshake, "a handshake's round trip changes nothing")
    }
    if let metadata = MetadataMessage(payload) {
      require(MetadataMessage(metadata.encoded) == metadata, "a metadata message's round trip changes nothing")
    }
    if let exchange = PeerExchange(payload) {
      require(PeerExchange(exchange.encoded) == exchange, "an exchange's round trip changes nothing")
    }
  }
  _ = Handshake.read(rest)
  return 0
}

private func read(_ parts: [[UInt8]], _ pieceCount: Int?) -> ([PeerMessage], PeerFault?) {
  var decoder = PeerMessageDecoder(pieceCount: pieceCount)
  var messages: [PeerMessage] = []
  do throws(PeerFault) {
    for part in parts { try decoder.feed(part[...]) { messages.append($0) } }
    return (messages, nil)
  } catch {
    return (messages, error)
  }
}
