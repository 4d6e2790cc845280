import EventLoop
import TorrentWire

/// Why a torrent can't give what it had. Nothing is fetched anew unasked: its disk may not be mounted.
struct FilesAreGone: Error, CustomStringConvertible {
  let description: String

  /// - Parameter path: of one of them below the download folder, where that is known.
  init(_ path: [String]?) {
    let which = path?.joined(separator: "/") ?? "one of them"
    description =
      "Its files are gone: \(which) is not there, or shorter: put them back, then start it again. What is not back then is fetched anew."
  }
}

/// Something else has the place of a torrent's file.
struct ForeignFile: Error, CustomStringConvertible {
  let path: [String]

  var description: String {
    "\(path.joined(separator: "/")) is in the download folder already, and no piece of it is right: move it away, or start the torrent again to have it written over."
  }
}

struct NoSuchFiles: Error, CustomStringConvertible {
  let chosen: [Int]
  let count: Int

  var description: String {
    let names = chosen.prefix(10).map(String.init).joined(separator: ", ") + (chosen.count > 10 ? ", ..." : "")
    return
      "It has \(count) files, from 0 on, and none of those that were chosen: \(names). Choose one and start it again."
  }
}

/// What lies where a torrent's files belong, before anything is made or written there.
extension Torrent {
  /// What was amiss there, of which people were told by the torrent's error: the next start goes ahead all the same.
  enum Warning {
    case gone, foreign

    init?(_ error: any Error) {
      switch error {
      case is FilesAreGone: self = .gone
      case is ForeignFile: self = .foreign
      default: return nil
      }
    }
  }

  /// What may be removed with the torrent: nothing of others.
  var ownFiles: TorrentFiles? { record.isBegun || hasMadeFiles ? files : nil }

  /// Throws where of the files that were chosen before anybody knew them not one is there (BEP 9).
  func demandFiles(of info: TorrentInfo) throws {
    if let chosen = record.chosen { throw NoSuchFiles(chosen: chosen.sorted(), count: info.files.count) }
  }

  /// Throws where a torrent that has begun before lacks a file, unless that was told already.
  func demandPresence(of files: TorrentFiles, in info: TorrentInfo, until flag: Cancellation) async throws {
    guard record.isBegun, warning != .gone else { return }
    let wanted = wantedFiles(of: info)
    _ = try await inSlices(wanted.count, until: flag) { file in
      if wanted[file], try !files.isPresent(file) { throw FilesAreGone(files.path(of: file)) }
    }
  }

  /// Throws where a torrent that begins would write over what others put there, unless that was told already. Where one piece is right,
  /// what lies there is taken for a part of the torrent.
  func demandNothingForeign(at files: TorrentFiles, of info: TorrentInfo, until flag: Cancellation) async throws {
    guard !record.isBegun, warning != .foreign else { return }
    let wanted = wantedFiles(of: info)
    let found = Lock<Int?>(nil)
    _ = try await inSlices(info.files.count, until: flag) { file in
      guard found.withLock({ $0 == nil }) else { return }
      // A piece may reach into a file that is left out.
      let isThere = wanted[file] ? try files.hasOctets(file) : (try? files.hasOctets(file)) ?? false
      if isThere { found.withLock { $0 = file } }
    }
    guard let file = found.withLock({ $0 }) else { return }
    let (isOwn, isWrong) = (Lock(false), Lock(false))
    let isDone = try await inSlices(info.pieceCount, until: flag, progress: { looked(at: $0, of: info) }) { piece in
      guard !isOwn.withLock({ $0 }) else { return }
      // Zeros are in anybody's file.
      if try !files.verify(piece) {
        isWrong.withLock { $0 = true }
      } else if try !files.isOfZeros(piece) {
        isOwn.withLock { $0 = true }
      }
    }
    if isDone, !isOwn.withLock({ $0 }), isWrong.withLock({ $0 }) { throw ForeignFile(path: files.path(of: file)) }
  }
}
