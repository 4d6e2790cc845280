import TorrentWire

/// Asks trackers of either kind.
struct TrackerClient: Sendable {
  let http: HTTPTrackerClient
  let udp: UDPTrackerClient

  /// - Throws: what the tracker said, or why nothing came from it.
  func announce(_ request: AnnounceRequest, to url: TrackerURL) async throws(TrackerFailure) -> AnnounceReply {
    switch url.scheme {
    case .http, .https: try await http.announce(request, to: url)
    case .udp: try await udp.announce(request, to: url)
    }
  }

  /// - Throws: likewise.
  func scrape(_ hashes: [InfoHash], at url: TrackerURL) async throws(TrackerFailure) -> [ScrapeEntry] {
    switch url.scheme {
    case .http, .https: try await http.scrape(hashes, at: url)
    case .udp: try await udp.scrape(hashes, at: url)
    }
  }
}
