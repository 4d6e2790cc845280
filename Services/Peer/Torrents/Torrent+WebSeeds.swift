import EventLoop
import HTTPClient
import Logging
import Octets
import TorrentWire

/// Web servers that have the torrent's files (BEP 19).
extension Torrent {
  func beginWebSeeds() {
    guard let exchange, info != nil, exchange.webSeeds.isEmpty else { return }
    for url in usableWebSeeds { exchange.joinWebSeed(url, at: loop.now) }
  }

  private var usableWebSeeds: [String] { record.webSeeds.filter { WebAddress.isUsable($0) } }

  /// In the order in which the torrent names them; while it is paused, none was asked.
  var webSeedStates: [WebSeed] {
    let now = Instant.current
    guard let seeds = exchange?.webSeeds, !seeds.isEmpty else {
      return usableWebSeeds.map { WebSeed(url: $0, at: now) }
    }
    return seeds.keys.sorted(by: >).compactMap { seeds[$0] }
  }

  /// Gets a piece, a request for each file that it lies in.
  func fetch(_ piece: Int, from seed: PeerNumber) {
    guard let info, let url = exchange?.webSeeds[seed]?.url else { return }
    let (run, flag) = (run, Cancellation())
    fetches[seed] = flag
    loop.spawn {
      do {
        var content: [UInt8] = []
        for segment in info.segments(piece, 0..<info.length(of: piece)) {
          content += try await self.get(
            WebSeed.address(of: info.files[segment.file], in: info, at: url), segment, from: seed, flag)
        }
        await self.fetched(piece, .success(content), from: seed, flag, run)
      } catch {
        await self.fetched(piece, .failure(error), from: seed, flag, run)
      }
    }
  }

  /// Nobody waits for what it was asked for.
  func abandon(_ seed: PeerNumber) { fetches.removeValue(forKey: seed)?.raise() }

  private func get(
    _ url: String, _ segment: TorrentInfo.Segment, from seed: PeerNumber, _ flag: Cancellation
  ) async throws -> [UInt8] {
    let range = "\(segment.offset)-\(segment.offset + segment.count - 1)"
    let response = try await open(url, range, from: seed, flag)
    // Who answers with the whole file where a part was asked for is read as far as the part.
    guard response.status == 206 || response.status == 200 && segment.offset == 0 else {
      let isWhole = response.status == 200
      throw WebSeedError(url, isWhole ? "can't give parts of a file (RFC 9110 §14)" : "answers \(response.status)")
    }
    if response.status == 206 {
      guard response.head.header("content-range")?.hasPrefix("bytes \(range)/") == true else {
        throw WebSeedError(url, "answers with another range")
      }
    }
    let limits = RateLimiters([download, around.download])
    var octets: [UInt8] = []
    while octets.count < Int(segment.count), let part = try await response.next() {
      guard !flag.isRaised else { throw WebSeedError(url, "is not wanted any more") }
      octets += part
      exchange?.webSeed(seed, gave: part.count, at: loop.now)
      // What our own bounds hold up is not its fault.
      await limits.pass(part.count)
      guard !flag.isRaised else { throw WebSeedError(url, "is not wanted any more") }
      exchange?.webSeedIsAwaited(seed, at: loop.now)
    }
    guard octets.count >= Int(segment.count) else { throw WebSeedError(url, "has a file that is too short") }
    return Array(octets.prefix(Int(segment.count)))
  }

  /// Wherever it leads, the client connects to no address outside of the egress policy.
  private func open(
    _ url: String, _ range: String, from seed: PeerNumber, _ flag: Cancellation
  ) async throws -> ClientResponseStream {
    var request = ClientRequest(url)
    request.headers = [("Range", "bytes=\(range)")]
    for _ in 0...WebAddress.redirectLimit {
      guard !flag.isRaised else { throw WebSeedError(url, "is not wanted any more") }
      let response = try await around.client.stream(request)
      guard let next = try request.following(response.head) else { return response }
      request = next
    }
    throw WebSeedError(url, "leads from one address to the next, more than \(WebAddress.redirectLimit) times")
  }

  private func fetched(
    _ piece: Int, _ result: Result<[UInt8], any Error>, from seed: PeerNumber, _ flag: Cancellation, _ run: Int
  ) {
    guard let exchange, run == self.run, !flag.isRaised else { return }
    fetches[seed] = nil
    switch result {
    case .success(let content): exchange.fetched(piece, content, from: seed, at: loop.now)
    case .failure(let error):
      around.log.debug("a web seed gave nothing", metadata: ["reason": "\(error)"])
      exchange.fetchFailed(piece, "\(error)", from: seed, at: loop.now)
    }
    act()
  }
}

extension WebSeed {
  /// Of one file, the URL is the file's own unless it ends with a slash; of a folder, the name and the path come behind it.
  static func address(of file: TorrentInfo.File, in info: TorrentInfo, at url: String) -> String {
    let parts = info.isFolder ? [info.name] + file.path : file.path
    if !info.isFolder, !url.hasSuffix("/") { return url }
    return (url.hasSuffix("/") ? url : url + "/") + parts.map { PercentEncoding.encode($0) }.joined(separator: "/")
  }
}

/// Why a web seed's answer is of no use.
struct WebSeedError: Error, CustomStringConvertible {
  let description: String

  init(_ url: String, _ reason: String) { description = "\(url) \(reason)" }
}
