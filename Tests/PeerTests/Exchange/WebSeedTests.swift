import EventLoop
import Octets
import Testing
import TorrentWire

@testable import Peer

@Suite struct WebSeedTests {
  private func content(_ talk: Talk, _ piece: Int) -> [UInt8] {
    Array(repeating: 1, count: talk.info.length(of: piece))
  }

  private func fetched(_ talk: Talk, _ piece: Int, _ content: [UInt8]?, from seed: PeerNumber) {
    if let content {
      talk.exchange.fetched(piece, content, from: seed, at: talk.now)
    } else {
      talk.exchange.fetchFailed(piece, "it is gone", from: seed, at: talk.now)
    }
    talk.collect()
  }

  private func join(_ talk: Talk) -> PeerNumber {
    defer { talk.collect() }
    return talk.exchange.joinWebSeed("http://server/", at: talk.now)
  }

  /// Answers all that is fetched until nothing is.
  private func fetchAll(_ talk: Talk, _ check: Exchange.Check = .good) {
    while true {
      let fetches = talk.takeFetches()
      if fetches.isEmpty { return }
      for (seed, piece) in fetches { fetched(talk, piece, content(talk, piece), from: seed) }
      for piece in talk.takeStored() { talk.check(piece, check) }
    }
  }

  @Test func oneServerAloneGivesAll() throws {
    let talk = try Talk(pieces: 9)
    let seed = join(talk)
    #expect(seed < 0 && talk.fetches.count == 1)
    fetchAll(talk)
    #expect(talk.exchange.isComplete)
    #expect(talk.exchange.downloaded == UInt64(talk.info.length) && talk.exchange.wasted == 0)
  }

  @Test func aServerFetchesOnePieceAtATime() throws {
    let talk = try Talk(pieces: 9)
    _ = join(talk)
    _ = join(talk)
    for _ in 0..<3 { talk.tick() }
    #expect(Set(talk.fetches.map(\.seed)) == [-1, -2])
    #expect(talk.fetches.count == 2 && talk.fetches[0].piece != talk.fetches[1].piece)
  }

  @Test func aServerThatGivesNothingRests() throws {
    let talk = try Talk(pieces: 3)
    let seed = join(talk)
    let (_, piece) = try #require(talk.takeFetches().first)
    fetched(talk, piece, nil, from: seed)
    for _ in 0..<9 { talk.tick() }
    #expect(talk.fetches.isEmpty)
    #expect(talk.exchange.webSeeds[seed]?.error == "it is gone")
    talk.tick()
    #expect(talk.fetches.count == 1)
    // And what it did not give is fetched again.
    fetchAll(talk)
    #expect(talk.exchange.isComplete)
  }

  @Test func whatAServerDidNotGivePeersGive() throws {
    let talk = try Talk(pieces: 1)
    let seed = join(talk)
    let peer = try talk.joinGiver(1)
    #expect(talk.requests(to: peer).count == 1)
    fetched(talk, 0, nil, from: seed)
    let asked = talk.exchange.peers[peer]?.asked.keys.map { $0 } ?? []
    for block in asked { talk.give(block, from: peer) }
    talk.giveAll(from: peer)
    #expect(talk.exchange.picker.state(of: 0) == .checking || talk.exchange.isComplete)
    for piece in talk.takeStored() { talk.check(piece) }
    #expect(talk.exchange.isComplete)
  }

  @Test func aPieceOfAnotherLengthIsNone() throws {
    for wrong in [0, 1, 32_767, 32_769] {
      let talk = try Talk(pieces: 3)
      let seed = join(talk)
      let (_, piece) = try #require(talk.takeFetches().first)
      fetched(talk, piece, Array(repeating: 1, count: wrong), from: seed)
      #expect(talk.stored.isEmpty && talk.fetches.isEmpty, "\(wrong)")
      #expect(talk.exchange.downloaded == 0)
    }
  }

  @Test func aServerThatGaveABadPieceIsNotAskedAgain() throws {
    let talk = try Talk(pieces: 9)
    let seed = join(talk)
    let (_, piece) = try #require(talk.takeFetches().first)
    fetched(talk, piece, content(talk, piece), from: seed)
    // It is at work on the next one already.
    let (_, next) = try #require(talk.takeFetches().first)
    talk.check(piece, .bad)
    #expect(talk.exchange.webSeeds[seed]?.state == .refused)
    // Nobody waits for that one either: it might never come.
    #expect(talk.abandoned == [seed])
    #expect(talk.exchange.picker.downloads[next]?.isIdle == true)
    for _ in 0..<100 { talk.tick() }
    #expect(talk.fetches.isEmpty)
    #expect(talk.exchange.banned.isEmpty)
  }

  @Test func whatARefusedServerWasAtWorkOnAnotherGives() throws {
    let talk = try Talk(pieces: 2)
    let seed = join(talk)
    let (_, piece) = try #require(talk.takeFetches().first)
    fetched(talk, piece, content(talk, piece), from: seed)
    let (_, next) = try #require(talk.takeFetches().first)
    let other = join(talk)
    #expect(talk.fetches.isEmpty)
    talk.check(piece, .bad)
    let (asked, first) = try #require(talk.takeFetches().first)
    #expect(asked == other)
    fetched(talk, first, content(talk, first), from: other)
    talk.check(first)
    fetchAll(talk)
    #expect(Set([piece, next]) == [0, 1] && talk.exchange.isComplete)
    let refusals = talk.events.count { if case .webSeedRefused = $0 { true } else { false } }
    #expect(refusals == 1)
  }

  @Test func whoGivesNothingRestsLongerEachTime() throws {
    let talk = try Talk(pieces: 3)
    let seed = join(talk)
    var pauses: [Double] = []
    for _ in 0..<8 {
      let (_, piece) = try #require(talk.takeFetches().first)
      let before = talk.time
      fetched(talk, piece, nil, from: seed)
      while talk.fetches.isEmpty, talk.time < before + 1000 { talk.tick() }
      pauses.append(talk.time - before)
    }
    #expect(pauses == [10, 20, 40, 80, 160, 320, 600, 600])
    let (_, piece) = try #require(talk.takeFetches().first)
    fetched(talk, piece, content(talk, piece), from: seed)
    #expect(talk.exchange.webSeeds[seed]?.failures == 0 && talk.exchange.webSeeds[seed]?.error == nil)
  }

  /// Some octets now and then would keep a piece for ever where there are no peers.
  @Test func aServerThatDripsIsGivenUpAndAnotherIsAsked() throws {
    let talk = try Talk(pieces: 1)
    let seed = join(talk)
    let other = join(talk)
    #expect(talk.takeFetches().map(\.seed) == [seed])
    for _ in 0..<59 {
      talk.tick()
      talk.exchange.webSeed(seed, gave: 100, at: talk.now)
      talk.exchange.webSeedIsAwaited(seed, at: talk.now)
    }
    #expect(talk.fetches.isEmpty && talk.abandoned.isEmpty)
    talk.tick()
    #expect(talk.abandoned == [seed])
    #expect(talk.takeFetches().map(\.seed) == [other])
    #expect(talk.exchange.webSeeds[seed]?.failures == 1)
  }

  /// 64 KiB a minute are enough, and what our own bounds hold up is not the server's fault.
  @Test func aServerThatIsSlowStays() throws {
    let talk = try Talk(pieces: 1)
    let seed = join(talk)
    for _ in 0..<200 {
      talk.tick()
      talk.exchange.webSeed(seed, gave: 1200, at: talk.now)
      talk.exchange.webSeedIsAwaited(seed, at: talk.now)
    }
    talk.exchange.webSeed(seed, gave: 1, at: talk.now)
    for _ in 0..<200 { talk.tick() }
    #expect(talk.abandoned.isEmpty)
    talk.exchange.webSeedIsAwaited(seed, at: talk.now)
    for _ in 0..<60 { talk.tick() }
    #expect(talk.abandoned == [seed])
  }

  @Test func itIsToldWhyAServerIsAskedAndWhatItGave() throws {
    let talk = try Talk(pieces: 1)
    let seed = join(talk)
    fetchAll(talk)
    var told: [String] = []
    for event in talk.events {
      switch event {
      case .fetching(let piece, let url, let reason): told.append("\(piece) \(url) \(reason.name)")
      case .finished(let piece, let from): told.append("\(piece) \(from.webSeeds)")
      default: break
      }
    }
    #expect(told == ["0 http://server/ random", #"0 ["http://server/"]"#])
    #expect(talk.exchange.webSeeds[seed]?.received.total == 0, "octets are counted as they come")
  }

  @Test func aServerThatWasAskedAloneAndGaveNothingHoldsNobodyUp() throws {
    let talk = try Talk(pieces: 1)
    let one = try talk.join(1, having: nil)
    let other = try talk.join(2, having: nil)
    // Both give a half, and the whole is bad.
    talk.hear(.unchoke, from: one)
    let asked = talk.requests(to: one)
    talk.give(asked[0], from: one)
    talk.hear(.unchoke, from: other)
    talk.give(asked[1], from: other)
    talk.hear(.choke, from: one)
    talk.hear(.choke, from: other)
    let seed = join(talk)
    #expect(talk.fetches.isEmpty)
    talk.check(0, .bad)
    #expect(talk.takeFetches().count == 1)
    fetched(talk, 0, nil, from: seed)
    _ = talk.takeSaid(to: one)
    talk.hear(.unchoke, from: one)
    #expect(talk.requests(to: one).count == 2)
  }
}
