import HTTPClient
import Octets
import TorrentWire

/// Asks trackers by HTTP (BEP 3, BEP 48).
struct HTTPTrackerClient: Sendable {
  /// How often a tracker may lead elsewhere until it answers.
  static let redirects = 5
  /// Octets of an answer that are read.
  static let answerLimit = 1 << 20

  private let client: HTTPClient
  private let source: IPAddress?
  private let deadline: Duration

  /// - Parameters:
  ///   - source: the address to send from; nil lets the kernel choose.
  ///   - deadline: for a whole call.
  init(_ client: HTTPClient, from source: IPAddress? = nil, deadline: Duration = .seconds(30)) {
    self.client = client
    self.source = source
    self.deadline = deadline
  }

  /// - Throws: what the tracker said, or why nothing came from it.
  func announce(_ request: AnnounceRequest, to url: TrackerURL) async throws(TrackerFailure) -> AnnounceReply {
    try AnnounceReply(decoding: try await get(url.announce(request.query))[...])
  }

  /// - Returns: what the tracker knows of them, in its order, and nothing that was not asked for.
  func scrape(_ hashes: [InfoHash], at url: TrackerURL) async throws(TrackerFailure) -> [ScrapeEntry] {
    guard let address = url.scrape(ScrapeRequest.query(hashes)) else {
      throw TrackerFailure("this tracker's URL does not end in announce, so it has none to scrape")
    }
    let asked = Set(hashes)
    return try ScrapeReply.decode(try await get(address)[...]).filter { asked.contains($0.infoHash) }
  }

  private func get(_ url: String) async throws(TrackerFailure) -> [UInt8] {
    var request = ClientRequest(url)
    request.deadline = deadline
    request.connectTimeout = min(request.connectTimeout, deadline)
    request.bodyLimit = Self.answerLimit
    request.redirects = Self.redirects
    request.sourceAddress = source
    let response: ClientResponse
    do throws(HTTPClientError) {
      response = try await client.send(request)
    } catch {
      // The URL, with its passkey and hashes, is no part of what is shown.
      throw TrackerFailure(error.reason)
    }
    guard response.status == 200 else { throw TrackerFailure("the tracker answered with status \(response.status)") }
    return response.body
  }
}
