import EventLoop
import HTTPServer
import HTTPWire
import Octets
import ServiceKit
import TorrentWire

/// A torrent that is made of what lies in the download folder, and where its octets are to be had.
extension PeerAPI {
  func tiers(_ trackers: [String]?) throws -> [[String]] {
    guard let trackers else { return [] }
    guard trackers.count <= Metainfo.urlLimit else {
      throw Problem.invalid(field: "trackers", "may have \(Metainfo.urlLimit) URLs")
    }
    try requireUsable(trackers, field: "trackers")
    // Those that are given together serve alike (BEP 12).
    return trackers.isEmpty ? [] : [trackers]
  }

  private func webSeeds(_ urls: [String]?) throws -> [String] {
    guard let urls else { return [] }
    guard urls.count <= Metainfo.urlLimit else {
      throw Problem.invalid(field: "web_seeds", "may have \(Metainfo.urlLimit) URLs")
    }
    for (number, url) in urls.enumerated() {
      guard WebAddress.isUsable(url) else {
        throw Problem.invalid(field: "web_seeds[\(number)]", WebAddress.words)
      }
    }
    return urls
  }

  /// Hashing takes as long as reading: the answer is a job.
  func make(_ path: String, _ body: NewTorrent) async throws -> Response {
    // The files of a torrent lie under its name in the download folder, and there they stay.
    guard !path.contains("/") else {
      throw Problem.invalid(
        field: "path", "must be the name of a file or folder that lies in the download folder itself, without a slash")
    }
    let tiers = try tiers(body.trackers)
    let webSeeds = try webSeeds(body.webSeeds)
    let uploadLimit = try Self.rate(body.uploadLimit, "upload_limit")
    let downloadLimit = try Self.rate(body.downloadLimit, "download_limit")
    do { try await torrents.beginMaking(path) } catch { throw Problem(409, "\(error)") }
    do {
      return try await hash(path, body, tiers, webSeeds, (uploadLimit, downloadLimit))
    } catch {
      await torrents.made(path)
      throw error
    }
  }

  /// What is hashed is kept from being deleted until the job ends, or until this throws.
  private func hash(
    _ path: String, _ body: NewTorrent, _ tiers: [[String]], _ webSeeds: [String], _ limits: (up: Int?, down: Int?)
  ) async throws -> Response {
    let around = around
    let maker: TorrentMaker
    do {
      maker = try await around.making.run {
        try TorrentMaker([path], below: around.folder, pieceLength: body.pieceLength ?? 262_144)
      }
    } catch TorrentMakerError.pieceLength(let length) {
      throw Problem.invalid(field: "piece_length", "can't be \(length): a power of two from 16384 to 16777216 can")
    } catch let error as TorrentMakerError {
      throw Problem.invalid(field: "path", "makes no torrent: \(error)")
    } catch let error as DiskError {
      throw Problem.invalid(field: "path", "makes no torrent: \(error)")
    }
    guard let job = jobs.begin() else { throw Problem(503, "Too many jobs are under way.", retryAfter: 10) }
    let torrents = torrents
    around.loop.spawn {
      do {
        let (made, read) = try await around.making.run {
          var builder = try maker.make { done, total in
            job.progress(total > 0 ? Double(done) / Double(total) : 1)
            return !job.isCancelled
          }
          builder.isPrivate = body.private ?? false
          let info = builder.info
          guard let hash = InfoHash(try Secrets.sha1(info)) else { throw SecretsError.failed }
          var record = TorrentRecord(hash: hash, addedAt: around.clock.now.seconds)
          record.info = info
          record.name = builder.name
          // It is made of what lies there.
          record.isBegun = true
          return (record, try record.readInfo())
        }
        var record = made
        record.tiers = tiers
        record.webSeeds = webSeeds
        record.isPaused = body.paused ?? false
        record.uploadLimit = Self.bound(limits.up)
        record.downloadLimit = Self.bound(limits.down)
        guard !job.isCancelled else { throw TorrentMakerError.cancelled }
        do {
          _ = try await torrents.add(record, info: read)
        } catch Torrents.Failure.exists {
          // It is what was wanted.
        }
        await torrents.made(path)
        job.finish(.success("/v1/torrents/\(record.hash)"))
      } catch {
        await torrents.made(path)
        job.finish(.failure("\(error)"))
      }
    }
    return try .encode(JobView(job), status: .accepted).with("location", "/v1/jobs/\(job.id)")
  }
}
