import EventLoop
import HTTPServer
import HTTPWire
import Octets
import TorrentWire

/// The tracker by HTTP (BEP 3, 7, 23, 24, 31, 48): announces and scrapes are GETs of a listener of their own.
struct HTTPAnnounce: Sendable {
  let announcer: Announcer
  /// Those before this listener, whose word on where a client is counts.
  var proxies: [IPNetwork] = []

  func addRoutes(to router: Router) {
    for pattern in ["/announce", "/announce/{key}"] { router.get(pattern) { answer($0) } }
    for pattern in ["/scrape", "/scrape/{key}"] { router.get(pattern) { scrape($0) } }
  }

  private func answer(_ request: Request) -> Response {
    do throws(TrackerFailure) {
      let announce = try AnnounceRequest(query: request.head.queryOctets)
      let source = try source(of: request)
      let reply = try announcer.answer(
        announce, key: key(request), from: source, families: source.isV4 ? [true, false] : [false, true],
        at: request.loop.now)
      let form: AnnounceReply.Form =
        announce.wantsDictionaries ? .dictionaries(withIDs: !announce.leavesOutIDs) : .compact
      return bencoded(reply.encoded(form))
    } catch {
      return bencoded(error.encoded)
    }
  }

  private func scrape(_ request: Request) -> Response {
    let limits = announcer.settings.limits
    do throws(TrackerFailure) {
      _ = try announcer.user(of: key(request), at: announcer.now())
      let hashes = try ScrapeRequest.infoHashes(query: request.head.queryOctets, limit: limits.scrape)
      return bencoded(ScrapeReply.encode(announcer.scrape(hashes), minInterval: limits.interval / 2))
    } catch {
      return bencoded(error.encoded)
    }
  }

  private func key(_ request: Request) -> [UInt8]? {
    let key = request.parameter("key")
    return key.isEmpty ? nil : Array(key.utf8)
  }

  private func bencoded(_ octets: [UInt8]) -> Response { .octets(octets, type: "text/plain") }

  /// Where the client is: what a proxy of ours says, which puts it behind what others may have said, else where the connection
  /// comes from.
  /// - Throws: what the client is told where its proxy says nothing that can be used: to take the proxy for it would tell others of an
  ///   address where nobody listens.
  private func source(of request: Request) throws(TrackerFailure) -> IPAddress {
    let peer = request.peer.ip.unmapped
    guard proxies.contains(where: { $0.contains(peer) }),
      let last = request.header("x-forwarded-for")?.split(separator: ",").last?.drop(while: { $0 == " " })
    else { return peer }
    // Some proxies add the client's port.
    guard let address = IPAddress(last) ?? SocketAddress(String(last))?.ip else {
      throw TrackerFailure("the proxy before this tracker does not say from which address you come", retry: .never)
    }
    return address.unmapped
  }
}

extension RequestHead {
  /// The query as it came: its values are octets and no text.
  fileprivate var queryOctets: ArraySlice<UInt8> { bytes[query.range] }
}
