import EventLoop
import Octets
import ServiceKit
import TorrentWire

/// Pieces on their way to the disk, and the info dictionary on its way from peers.
extension Torrent {
  // MARK: Work

  /// Does something with the torrent's files, which a stop and a removal wait for. It may not wait for either itself.
  func work(_ body: @escaping @Sendable (isolated Torrent) async -> Void) {
    jobs.begin()
    loop.spawn {
      await body(self)
      self.jobs.end()
    }
  }

  /// Blocks a thread of the pool. Where more waits than the pool takes, it is tried again: a disk that is slow stops no torrent.
  func onThread<Value: Sendable>(
    of pool: BlockingPool, _ body: @escaping @Sendable () throws -> Value
  ) async throws -> Value {
    while true {
      do { return try await pool.run(body) } catch IOError.overloaded { await loop.sleep(for: .milliseconds(100)) }
    }
  }

  /// Does something for each number, in slices: others wait for the disk too.
  ///
  /// - Parameters:
  ///   - flag: where it is raised, nobody wants it any more.
  ///   - progress: is told after each slice how many are done.
  /// - Returns: whether all is done.
  func inSlices(
    _ count: Int, until flag: Cancellation, progress: (Int) -> Void = { _ in },
    _ body: @escaping @Sendable (Int) throws -> Void
  ) async throws -> Bool {
    var done = 0
    while done < count, !flag.isRaised {
      let first = done
      done = try await onThread(of: around.checks) {
        let end = Instant.current + .milliseconds(100)
        var number = first
        while number < count, !flag.isRaised, number == first || Instant.current < end {
          try body(number)
          number += 1
        }
        return number
      }
      if !flag.isRaised { progress(done) }
    }
    return !flag.isRaised
  }

  // MARK: Looking

  /// Makes the files that are wanted, and writes down then that they are there.
  /// - Returns: whether all is done.
  private func make(_ files: TorrentFiles, of info: TorrentInfo, until flag: Cancellation) async throws -> Bool {
    hasMadeFiles = true
    var wanted: [Bool]
    repeat {
      wanted = wantedFiles(of: info)
      let isDone = try await inSlices(wanted.count, until: flag) { [wanted] file in
        if wanted[file] { try files.prepare(file) }
      }
      guard isDone else { return false }
      // Somebody may have wanted another meanwhile.
    } while wantedFiles(of: info) != wanted
    await noteBegun()
    return !flag.isRaised
  }

  /// Its files are there: from now on they are missed when they are not.
  private func noteBegun() async {
    guard !record.isBegun else { return }
    record.isBegun = true
    await save()
  }

  /// Makes the files that are wanted, and reads and hashes every piece; those that were never written are seen as holes.
  /// - Returns: what is here; nil where nobody wants to know any more.
  private func look(at files: TorrentFiles, of info: TorrentInfo, until flag: Cancellation) async throws -> Bitfield? {
    try await demandNothingForeign(at: files, of: info, until: flag)
    guard !flag.isRaised, try await make(files, of: info, until: flag) else { return nil }
    let have = Lock(Bitfield(pieceCount: info.pieceCount))
    let isDone = try await inSlices(info.pieceCount, until: flag, progress: { looked(at: $0, of: info) }) { piece in
      let isHere = try files.verify(piece)
      have.withLock { $0[piece] = isHere }
    }
    return isDone ? have.withLock { $0 } : nil
  }

  /// Who listens need not hear of each slice.
  func looked(at pieces: Int, of info: TorrentInfo) {
    let done = min(info.length, Int64(pieces) * Int64(info.pieceLength))
    if case .checking(let told) = state, done - told > 64 << 20 { state = .checking(done: done) }
  }

  /// Looks at what lies in the folder, and begins then.
  func check(_ info: TorrentInfo, _ files: TorrentFiles) {
    state = .checking(done: 0)
    let (run, flag) = (run, calledOff)
    work { torrent in
      do {
        try torrent.demandFiles(of: info)
        try await torrent.demandPresence(of: files, in: info, until: flag)
        var have = try await torrent.remember(files, of: info, until: flag)
        if have == nil {
          have = try await torrent.look(at: files, of: info, until: flag)
        } else {
          await torrent.noteBegun()
        }
        guard let have, !flag.isRaised else { return }
        torrent.have = have
        torrent.begin(info, have)
      } catch {
        torrent.fail(error, run)
      }
    }
  }

  /// What was here at the end of the run before; nil where somebody has touched the files since.
  private func remember(_ files: TorrentFiles, of info: TorrentInfo, until flag: Cancellation) async throws -> Bitfield?
  {
    guard let lastSeen, let have = Bitfield(lastSeen.have, pieceCount: info.pieceCount) else { return nil }
    let traces = try await traces(of: files, in: info, until: flag)
    guard !flag.isRaised else { return nil }
    self.lastSeen = nil
    return traces == lastSeen.traces ? have : nil
  }

  /// What is here, for the next run, once it has stopped; nil where nobody has looked in this one either.
  func see() async -> LastSeen? {
    guard let files, let info, let have else { return lastSeen }
    do {
      try await onThread(of: around.checks) { try files.synchronize() }
      return LastSeen(have: have.octets, traces: try await traces(of: files, in: info, until: Cancellation()))
    } catch {
      return nil
    }
  }

  private func traces(of files: TorrentFiles, in info: TorrentInfo, until flag: Cancellation) async throws -> [UInt8] {
    let traces = Lock([UInt8]())
    _ = try await inSlices(info.files.count, until: flag) { file in
      let trace = try files.trace(of: file)
      traces.withLock { $0 += Array("\(trace)\n".utf8) }
    }
    return try Secrets.sha1(traces.withLock { $0 })
  }

  /// Throws where a file that is wanted is not there any more, is shorter, or is another one than that which is open.
  /// - Returns: false where nobody wants to know any more.
  private func seeFiles(until flag: Cancellation) async throws -> Bool {
    guard let files, let info else { return false }
    let wanted = wantedFiles(of: info)
    return try await inSlices(wanted.count, until: flag) { file in
      if wanted[file], try !files.isThere(file) { throw FilesAreGone(files.path(of: file)) }
    }
  }

  /// What was taken away during a pause can't be given.
  func seeAgain() {
    let (run, flag) = (run, calledOff)
    work { torrent in
      do {
        _ = try await torrent.seeFiles(until: flag)
      } catch {
        torrent.fail(error, run, looksAgain: true)
      }
    }
  }

  // MARK: Pieces

  /// Checks a piece and writes it down, off the loop.
  func keep(_ piece: Int, _ blocks: [[UInt8]]) {
    guard let files, let info else { return }
    let run = run
    work { torrent in
      do {
        let isGood = try await torrent.onThread(of: torrent.around.disk) {
          guard try Secrets.sha1(of: blocks).elementsEqual(info.hash(of: piece)) else { return false }
          try files.write(piece, blocks)
          return true
        }
        torrent.kept(piece, isGood ? .good : .bad)
      } catch {
        torrent.kept(piece, .unwritten)
        torrent.fail(error, run)
      }
    }
  }

  /// It counts also while the torrent stops.
  private func kept(_ piece: Int, _ check: Exchange.Check) {
    exchange?.checked(piece, check, at: loop.now)
    act()
  }

  /// The last piece that is wanted came. Nobody is told before it is seen that what was written has a name still.
  func complete() {
    guard state == .downloading, let files else { return }
    let (run, flag) = (run, calledOff)
    work { torrent in
      do {
        guard try await torrent.seeFiles(until: flag), torrent.becomeSeeder() else { return }
        await torrent.save()
        try await torrent.onThread(of: torrent.around.disk) { try files.synchronize() }
        if torrent.around.leavesOnComplete { torrent.leave(run) }
      } catch {
        torrent.fail(error, run, looksAgain: true)
      }
    }
  }

  // MARK: The info dictionary (BEP 9)

  func check(metadata octets: [UInt8]) {
    let (run, flag, infoHash, around) = (run, calledOff, infoHash, around)
    work { torrent in
      do {
        let info = try await torrent.onThread(of: torrent.around.checks) { () -> TorrentInfo? in
          guard InfoHash(try Secrets.sha1(octets)) == infoHash else { return nil }
          return try TorrentInfo(decoding: octets[...])
        }
        guard !flag.isRaised else { return }
        guard let info else { return torrent.metadataIsBad() }
        let files = TorrentFiles(info: info, folder: around.folder, openFiles: around.openFiles)
        try torrent.found(info, files)
        await torrent.save()
        try torrent.demandFiles(of: info)
        try await torrent.demandPresence(of: files, in: info, until: flag)
        guard let have = try await torrent.look(at: files, of: info, until: flag) else { return }
        torrent.install(info, have)
      } catch {
        torrent.fail(error, run)
      }
    }
  }

  private func metadataIsBad() {
    exchange?.metadataIsBad(at: loop.now)
    act()
  }

  /// The place is looked at and taken in one go: of two torrents with one name only one gets it.
  private func found(_ info: TorrentInfo, _ files: TorrentFiles) throws {
    let isTaken = door?.torrents?.assumeIsolated { $0.isTaken(info.name, besides: infoHash) }
    if isTaken == true { throw Torrents.Failure.samePlace(info.name) }
    record.info = Array(info.octets)
    record.name = info.name
    record.found(info)
    (self.info, self.files) = (info, files)
  }

  private func install(_ info: TorrentInfo, _ have: Bitfield) {
    guard let exchange else { return }
    warning = nil
    for link in links.values { link.link.assumeIsolated { $0.knows(pieceCount: info.pieceCount) } }
    exchange.install(info, have: have, wanted: wantedPieces(of: info), at: loop.now)
    state = exchange.isComplete ? .seeding : .downloading
    beginWebSeeds()
    act()
  }
}
