import EventLoop
import Octets
import ServiceKit
import TorrentWire

/// Pieces on their way to the disk, and the info dictionary on its way from peers.
extension Torrent {
  /// Checks a piece and writes it down, off the loop.
  func keep(_ piece: Int, _ blocks: [[UInt8]]) {
    guard let files, let info else { return }
    let run = run
    loop.spawn { [around] in
      do {
        let isGood = try await around.disk.run {
          guard try Secrets.sha1(of: blocks).elementsEqual(info.hash(of: piece)) else { return false }
          try files.write(piece, blocks)
          return true
        }
        await self.kept(piece, isGood ? .good : .bad, run)
      } catch IOError.overloaded {
        // More is on its way than the disk takes: a pause.
        await around.loop.sleep(for: .milliseconds(100))
        await self.keepAgain(piece, blocks, run)
      } catch {
        await self.kept(piece, .unwritten, run)
        await self.fail("\(error)", run)
      }
    }
  }

  private func keepAgain(_ piece: Int, _ blocks: [[UInt8]], _ run: Int) {
    if run == self.run { keep(piece, blocks) }
  }

  private func kept(_ piece: Int, _ check: Exchange.Check, _ run: Int) {
    guard let exchange, run == self.run else { return }
    exchange.checked(piece, check, at: loop.now)
    act()
  }

  // MARK: The info dictionary (BEP 9)

  func check(metadata octets: [UInt8]) {
    let (run, infoHash, folder) = (run, infoHash, around.folder)
    loop.spawn { [around] in
      do {
        let info = try await around.disk.run { () -> TorrentInfo? in
          guard InfoHash(try Secrets.sha1(octets)) == infoHash else { return nil }
          return try TorrentInfo(decoding: octets[...])
        }
        guard let info else { return await self.metadataIsBad(run) }
        let files = TorrentFiles(info: info, folder: folder)
        guard await self.found(info, files, run) else { return }
        let wanted = await self.wantedFiles(of: info)
        let have = try await around.disk.run {
          try files.prepare(wanted: wanted)
          var have = Bitfield(pieceCount: info.pieceCount)
          for piece in 0..<info.pieceCount { have[piece] = try files.verify(piece) }
          return have
        }
        await self.install(info, have, run)
      } catch {
        await self.fail("\(error)", run)
      }
    }
  }

  private func metadataIsBad(_ run: Int) {
    guard run == self.run else { return }
    exchange?.metadataIsBad(at: loop.now)
    act()
  }

  private func found(_ info: TorrentInfo, _ files: TorrentFiles, _ run: Int) async -> Bool {
    guard run == self.run else { return false }
    if await door?.torrents?.isTaken(info.name, besides: infoHash) == true {
      await fail(
        "Another torrent has its files at \(info.name) in the download folder: remove it, then start this.", run)
      return false
    }
    record.info = Array(info.octets)
    record.name = info.name
    (self.info, self.files) = (info, files)
    await save()
    return run == self.run
  }

  private func install(_ info: TorrentInfo, _ have: Bitfield, _ run: Int) {
    guard let exchange, run == self.run else { return }
    for link in links.values { link.link.assumeIsolated { $0.knows(pieceCount: info.pieceCount) } }
    exchange.install(info, have: have, wanted: wantedPieces(of: info), at: loop.now)
    state = exchange.isComplete ? .seeding : .downloading
    beginWebSeeds()
    act()
  }
}
