import EventLoop
import Glibc
import Octets
import Testing
import TorrentWire

@testable import Peer

/// A torrent begins, ends, begins again, and is removed, whatever is under way.
@Suite(.timeLimit(.minutes(1))) struct LifeTests {
  @Test func aBusyDiskStopsNoTorrent() async throws {
    let (seeder, leecher) = (try await PeerWorld(), try await PeerWorld())
    let place = try await seeder.share()
    // With its files closed, it has to wait for a thread.
    _ = try await seeder.pause(place, true)
    _ = try await seeder.pause(place, false)
    let barrier = Barrier(in: seeder.around.disk, others: 2000)
    _ = try await leecher.add(try PeerWorld.torrent())
    try await leecher.call(seeder, for: place)
    try await seeder.until("asked") { !(try await seeder.torrent(place).jobs.isEmpty) }
    await seeder.loop.sleep(for: .milliseconds(150))
    #expect(try await seeder.ask("GET", place).text("state") == "seeding")
    barrier.open()
    try await leecher.wait(place, "seeding")
  }

  @Test func whoComesAfterAPauseIsServedThoughAReadWasUnderWay() async throws {
    let (seeder, leecher) = (try await PeerWorld(), try await PeerWorld())
    let place = try await seeder.share()
    _ = try await seeder.pause(place, true)
    _ = try await seeder.pause(place, false)
    let barrier = Barrier(in: seeder.around.disk)
    _ = try await leecher.add(try PeerWorld.torrent())
    try await leecher.call(seeder, for: place)
    try await seeder.until("read") { !(try await seeder.torrent(place).reading.isEmpty) }
    async let paused = seeder.pause(place, true)
    try await seeder.until("stopping") { try await seeder.torrent(place).isStopping }
    async let resumed = seeder.pause(place, false)
    await seeder.loop.sleep(for: .milliseconds(50))
    barrier.open()
    #expect(try await [paused.status, resumed.status] == [200, 200])
    try await seeder.wait(place, "seeding")
    try await leecher.call(seeder, for: place)
    try await leecher.wait(place, "seeding")
  }

  @Test func noPeerEverHasTheNumberOfOneBefore() async throws {
    let (seeder, leecher) = (try await PeerWorld(), try await PeerWorld())
    let place = try await seeder.share()
    _ = try await leecher.add(try PeerWorld.torrent())
    // Two that have all would part.
    _ = try await seeder.ask("PATCH", place, #"{"upload_limit":1024}"#)
    var last = 0
    for _ in 1...3 {
      try await leecher.call(seeder, for: place)
      try await leecher.until("connected") { try await leecher.torrent(place).newestLink > last }
      last = try await leecher.torrent(place).newestLink
      _ = try await leecher.pause(place, true)
      _ = try await leecher.pause(place, false)
    }
  }

  @Test func whatIsRemovedWhileItIsMadeLeavesNothing() async throws {
    let world = try await PeerWorld()
    for _ in 1...5 {
      let place = try await world.add(PeerWorld.manyFiles(5000))
      #expect(try await world.ask("DELETE", place + "?data=true").status == 204)
      #expect(!world.folder.exists("many"))
    }
    await world.loop.sleep(for: .milliseconds(200))
    #expect(!world.folder.exists("many"))
  }

  @Test func nobodyWaitsForChecks() async throws {
    let world = try await PeerWorld()
    let shared = try await world.share("other.bin")
    let barrier = Barrier(in: world.around.checks)
    let place = try await world.add(try PeerWorld.torrent())
    #expect(try await world.ask("GET", place).text("state") == "checking")
    #expect(try await world.ask("PUT", "/v1/files/x", octets: [1], type: nil).status == 201)
    #expect(try await world.ask("GET", shared + "/files/0/content").octets == PeerWorld.content)
    barrier.open()
    try await world.wait(place, "downloading")
  }

  @Test func aCheckThatNobodyWantsEnds() async throws {
    let world = try await PeerWorld()
    let barrier = Barrier(in: world.around.checks)
    let place = try await world.add(PeerWorld.manyFiles(5000))
    async let paused = world.pause(place, true)
    try await world.until("stopping") { try await world.torrent(place).isStopping }
    barrier.open()
    #expect(try await paused.text("state") == "paused")
    #expect(!world.folder.exists("many/1"))
  }

  @Test func whatWasRemovedIsNeitherWrittenDownNorBegunAgain() async throws {
    let world = try await PeerWorld()
    let place = try await world.share()
    let torrent = try await world.torrent(place)
    #expect(try await world.ask("DELETE", place + "?data=true").status == 204)
    await #expect(throws: Torrents.Failure.noSuchTorrent) {
      _ = try await torrent.change(paused: false, upload: nil, download: nil) { _ in }
    }
    await #expect(throws: Torrents.Failure.noSuchTorrent) { try await torrent.want(0, true) { _ in } }
    await torrent.start()
    await torrent.save()
    #expect(await torrent.state == .paused)
    #expect(try world.around.store.load().isEmpty && !world.folder.exists("film.bin"))
  }

  @Test func whoIsPausedAndResumedAtOnceIsAsWasSaidLast() async throws {
    let world = try await PeerWorld()
    let place = try await world.share()
    for round in 0..<50 {
      async let one = world.pause(place, round % 2 == 0)
      async let other = world.pause(place, round % 2 == 1)
      _ = try await (one, other)
      let isPaused = try world.around.store.load()[0].isPaused
      try await world.until("as was said") {
        try await world.ask("GET", place).text("state") == (isPaused ? "paused" : "seeding")
      }
    }
  }

  @Test func whatCameWhileItStoppedCounts() async throws {
    let (seeder, leecher) = (try await PeerWorld(), try await PeerWorld())
    let place = try await seeder.share()
    _ = try await leecher.add(try PeerWorld.torrent())
    try await leecher.wait(place, "downloading")
    let barrier = Barrier(in: leecher.around.disk)
    try await leecher.call(seeder, for: place)
    try await leecher.until("all came") { try await leecher.ask("GET", place).number("downloaded") == 90_000 }
    async let paused = leecher.pause(place, true)
    try await leecher.until("stopping") { try await leecher.torrent(place).isStopping }
    barrier.open()
    #expect(try await paused.number("pieces_here") == 6)
  }
}

extension Torrent {
  fileprivate var newestLink: PeerNumber { links.keys.max() ?? 0 }
}
