import Octets
import TorrentWire

/// What comes to a tracker, and what comes from one: as a query, as an answer, as datagrams.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = unsafe octets(data, count)
  if let request = try? AnnounceRequest(query: input[...]) {
    guard let again = try? AnnounceRequest(query: Array(request.query.utf8)[...]) else {
      require(false, "what is written is read")
      return 0
    }
    require(
      again.infoHash == request.infoHash && again.peerID == request.peerID && again.port == request.port
        && again.key == request.key && again.event == request.event && again.wanted == request.wanted,
      "a round trip changes nothing")
  }
  _ = try? ScrapeRequest.infoHashes(query: input[...], limit: 100)
  if let reply = try? AnnounceReply(decoding: input[...]) {
    require(
      reply.peers.count <= AnnounceReply.peerLimit && reply.peers.allSatisfy { $0.address.port != 0 },
      "peers are bounded")
    guard let again = try? AnnounceReply(decoding: reply.encoded(.dictionaries(withIDs: true))[...]) else {
      require(false, "what is written is read")
      return 0
    }
    require(again.interval == reply.interval && again.peers.count == reply.peers.count, "a round trip changes nothing")
  }
  _ = try? ScrapeReply.decode(input[...])
  let bytes = unsafe input.span.bytes
  if let (transaction, request) = UDPTracker.request(bytes) {
    let encoded = UDPTracker.encode(request, transaction: transaction)
    let again = unsafe UDPTracker.request(encoded.span.bytes)
    require(again?.request == request && again?.transaction == transaction, "a request's round trip changes nothing")
  }
  for isV6 in [false, true] {
    guard let (transaction, reply) = UDPTracker.reply(bytes, isV6: isV6) else { continue }
    var encoded: [UInt8] = []
    UDPTracker.encode(reply, transaction: transaction, into: &encoded)
    require(
      unsafe UDPTracker.reply(encoded.span.bytes, isV6: isV6)?.transaction == transaction, "a reply's round trip works")
  }
  return 0
}
