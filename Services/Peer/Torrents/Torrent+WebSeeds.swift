import EventLoop
import HTTPClient
import Logging
import Octets
import TorrentWire

/// A web server that has the torrent's files (BEP 19).
struct WebSeed {
  let url: String
  /// Failures, one after the other.
  var failures = 0
  /// Octets that came from it.
  var received: UInt64 = 0
}

extension Torrent {
  func beginWebSeeds() {
    guard let exchange, info != nil, webSeeds.isEmpty else { return }
    for url in record.webSeeds where url.hasPrefix("http://") || url.hasPrefix("https://") {
      webSeeds[exchange.joinWebSeed()] = WebSeed(url: url)
    }
  }

  /// Gets a piece, a request for each file that it lies in.
  func fetch(_ piece: Int, from seed: PeerNumber) {
    guard let info, let url = webSeeds[seed]?.url else { return }
    let run = run
    loop.spawn {
      do {
        var content: [UInt8] = []
        for segment in info.segments(piece, 0..<info.length(of: piece)) {
          content += try await self.get(
            WebSeed.address(of: info.files[segment.file], in: info, at: url), segment, run)
        }
        await self.fetched(piece, content, from: seed, run)
      } catch {
        await self.fetched(piece, nil, from: seed, run)
      }
    }
  }

  private func get(_ url: String, _ segment: TorrentInfo.Segment, _ run: Int) async throws -> [UInt8] {
    var request = ClientRequest(url)
    let range = "\(segment.offset)-\(segment.offset + segment.count - 1)"
    request.headers = [("Range", "bytes=\(range)")]
    let response = try await around.client.stream(request)
    // Who answers with the whole file where a part was asked for is read as far as the part.
    guard response.status == 206 || response.status == 200 && segment.offset == 0 else {
      throw request.unusable("the web seed answers \(response.status)")
    }
    if response.status == 206 {
      guard response.head.header("content-range")?.hasPrefix("bytes \(range)/") == true else {
        throw request.unusable("the web seed answers with another range")
      }
    }
    let limits = RateLimiters([download, around.download])
    var octets: [UInt8] = []
    while octets.count < Int(segment.count), let part = try await response.next() {
      guard run == self.run else { throw request.unusable("nobody wants it any more") }
      octets += part
      await limits.pass(part.count)
    }
    guard octets.count >= Int(segment.count) else { throw request.unusable("the web seed's file is too short") }
    return Array(octets.prefix(Int(segment.count)))
  }

  private func fetched(_ piece: Int, _ content: [UInt8]?, from seed: PeerNumber, _ run: Int) {
    guard let exchange, run == self.run else { return }
    exchange.fetched(piece, content, from: seed, at: loop.now)
    if let content {
      webSeeds[seed]?.failures = 0
      webSeeds[seed]?.received += UInt64(content.count)
    } else {
      webSeeds[seed]?.failures += 1
      let failures = webSeeds[seed]?.failures ?? 0
      around.log.debug("a web seed gave nothing", metadata: ["url": "\(webSeeds[seed]?.url ?? "")"])
      loop.after(.seconds(min(600, 10 << min(failures, 6)))) { [weak self] in
        self?.assumeIsolated { torrent in
          guard torrent.run == run else { return }
          torrent.exchange?.askWebSeed(seed)
          torrent.act()
        }
      }
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
struct WebSeedError: Error, CustomStringConvertible { let description: String }

extension ClientRequest {
  fileprivate func unusable(_ reason: String) -> WebSeedError { WebSeedError(description: "\(url): \(reason)") }
}
