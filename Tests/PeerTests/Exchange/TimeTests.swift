import EventLoop
import Octets
import Testing
import TorrentWire

@testable import Peer

/// What comes to pass because nothing did.
@Suite struct TimeTests {
  @Test func aConnectionIsKeptAliveAfterNinetySeconds() throws {
    let talk = try Talk(pieces: 3)
    let peer = try talk.join(1)
    _ = talk.takeSaid(to: peer)
    talk.tick(after: 90)
    #expect(talk.takeSaid(to: peer).isEmpty)
    talk.tick()
    #expect(talk.takeSaid(to: peer) == [.keepAlive])
    talk.tick(after: 89)
    #expect(talk.takeSaid(to: peer).isEmpty)
  }

  @Test func whoIsSilentForThreeMinutesIsGone() throws {
    let talk = try Talk(pieces: 3)
    let silent = try talk.join(1)
    let quiet = try talk.join(2)
    talk.tick(after: 180)
    #expect(talk.isHere(silent))
    talk.hear(.keepAlive, from: quiet)
    talk.tick()
    #expect(talk.ends == [silent: .silent])
    #expect(talk.isHere(quiet))
  }

  @Test func whoGivesNothingForAMinuteIsSnubbedAndOthersAreAsked() throws {
    let talk = try Talk(pieces: 2)
    let slow = try talk.joinGiver(1)
    let asked = Set(talk.requests(to: slow))
    #expect(asked.count == 4)
    let other = try talk.join(2, having: nil)
    talk.tick(after: 60)
    #expect(talk.takeSaid(to: slow).isEmpty)
    talk.tick()
    #expect(talk.exchange.peers[slow]?.isSnubbed == true)
    let said = talk.takeSaid(to: slow)
    for block in asked { #expect(said.contains(.cancel(block))) }
    // One block finds out whether it gives again.
    #expect(said.filter { if case .request = $0 { true } else { false } }.count == 1)
    talk.hear(.unchoke, from: other)
    #expect(talk.requests(to: other).count == 3)
    let probe = try #require(talk.exchange.peers[slow]?.asked.keys.first)
    talk.give(probe, from: slow)
    #expect(talk.exchange.peers[slow]?.isSnubbed == false)
  }

  @Test func aRoundIsEveryTenSecondsAndATurnEveryThirdRound() throws {
    let talk = try Talk(pieces: 30, have: [0]) { $0.uploadSlots = 1 }
    for number in 1...3 {
      _ = try talk.join(number)
      talk.hear(.interested, from: number)
    }
    var turns: [(time: Double, peer: SocketAddress)] = []
    var seen = talk.events.count
    for _ in 0..<95 {
      talk.tick()
      for event in talk.events[seen...] { if case .unchoked(let peer, _) = event { turns.append((talk.time, peer)) } }
      seen = talk.events.count
    }
    #expect(turns.map(\.time) == [30, 60, 90])
    #expect(Set(turns.map(\.peer)).count == 3)
  }

  /// Nobody makes room who gives, takes, or wants something, nor who has just ceased to.
  @Test func whoIsOfNoUseForLongMakesRoom() throws {
    let talk = try Talk(pieces: 3, have: [0])
    let later = try talk.join(1, having: [])
    let idle = try talk.join(2, having: [0])
    let wants = try talk.join(3, having: [])
    talk.hear(.interested, from: wants)
    let wanted = try talk.join(4, having: [1])
    func room() -> Bool {
      talk.exchange.makeRoom(at: talk.now)
      talk.collect()
      return !talk.ends.isEmpty
    }
    talk.tick(after: 100)
    for peer in [later, idle, wants, wanted] { talk.hear(.keepAlive, from: peer) }
    talk.hear(.interested, from: later)
    talk.hear(.notInterested, from: later)
    talk.tick(after: 79)
    #expect(!talk.exchange.canMakeRoom(at: talk.now) && !room())
    talk.tick()
    #expect(talk.exchange.canMakeRoom(at: talk.now) && room())
    #expect(talk.ends == [idle: .idle])
    talk.tick(after: 90)
    for peer in [later, wants, wanted] { talk.hear(.keepAlive, from: peer) }
    talk.tick(after: 60)
    #expect(room() && talk.ends == [idle: .idle, later: .idle])
    talk.exchange.makeRoom(at: talk.now)
    #expect(talk.isHere(wants) && talk.isHere(wanted))
  }

  @Test func whoWasGivenSomethingIsOfUse() throws {
    let talk = try Talk(pieces: 3, have: [0])
    let peer = try talk.join(1, having: [])
    talk.hear(.interested, from: peer)
    talk.hear(.request(Block(piece: 0, offset: 0, length: Block.size)), from: peer)
    talk.hear(.notInterested, from: peer)
    talk.tick(after: 170)
    #expect(talk.exchange.nextUpload(for: peer, at: talk.now) != nil)
    talk.hear(.keepAlive, from: peer)
    talk.tick(after: 170)
    #expect(!talk.exchange.canMakeRoom(at: talk.now))
  }

  @Test func nothingHappensWithoutPeers() throws {
    let talk = try Talk(pieces: 3)
    for _ in 0..<40 { talk.tick(after: 7) }
    #expect(talk.events.isEmpty && talk.said.isEmpty)
  }
}
