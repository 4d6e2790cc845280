import EventLoop
import Octets
import Testing
import TorrentWire

@testable import Peer

/// Peers that want to keep us busy, or to keep us from a piece.
@Suite struct NuisanceTests {
  private func tell(_ talk: Talk, _ messages: [PeerMessage], from peer: PeerNumber) {
    talk.exchange.received(messages, from: peer, at: talk.now)
    talk.collect()
  }

  @Test func whatComesTogetherIsAnsweredOnce() throws {
    let talk = try Talk(pieces: 1000)
    let peer = try talk.join(1, having: Array(0..<1000))
    _ = talk.takeSaid(to: peer)
    // A hundred times the same gift is one, and is asked for as one.
    tell(talk, Array(repeating: .allowedFast(piece: 5), count: 100) + [.allowedFast(piece: 6)], from: peer)
    #expect(Set(talk.requests(to: peer).map(\.piece)) == [5, 6])
    #expect(talk.exchange.peers[peer]?.allowsUs == [5, 6])
  }

  @Test func whoChangesItsMindWithoutEndGoes() throws {
    for pair in [[PeerMessage.interested, .notInterested], [.unchoke, .choke]] {
      let talk = try Talk(pieces: 1000, have: [1])
      let nuisance = try talk.join(1, having: Array(0..<1000))
      let other = try talk.join(2, having: Array(0..<1000))
      tell(talk, (0..<1000).flatMap { _ in pair }, from: nuisance)
      #expect(talk.ends[nuisance] == .outOfTurn("the same thing again and again"))
      #expect(talk.isHere(other))
    }
  }

  @Test func whoDoesSoNowAndThenStays() throws {
    let talk = try Talk(pieces: 1000, have: [1])
    let peer = try talk.join(1, having: Array(0..<1000))
    for _ in 0..<100 {
      tell(talk, (0..<20).flatMap { _ in [.interested, .notInterested] }, from: peer)
      for _ in 0..<10 { talk.tick() }
      talk.hear(.keepAlive, from: peer)
    }
    #expect(talk.isHere(peer))
  }

  /// A piece that came out bad is asked of one alone: if that one gives a block now and then, another has its turn all the same.
  @Test func aPieceIsNotLeftToOneThatDrips() throws {
    let talk = try Talk(pieces: 1)
    let first = try talk.joinGiver(1)
    let asked = talk.requests(to: first)
    let second = try talk.joinGiver(2)
    // One block of each, so that nobody knows whose was bad.
    talk.hear(.choke, from: first)
    talk.hear(.reject(asked[1]), from: first)
    talk.give(asked[0], from: first)
    talk.tick()
    talk.give(asked[1], from: second)
    talk.check(0, .bad)
    #expect(talk.exchange.banned.isEmpty)
    talk.tick()
    let sole = try #require(talk.exchange.picker.downloads[0]?.sole)
    let honest = try talk.joinGiver(3)
    _ = talk.takeSaid(to: honest)
    for second in 1...40 {
      talk.tick()
      // One block in all that time, and no silence.
      if second == 10 { talk.give(asked[1], from: sole) }
      for peer in [first, 2, honest] { talk.hear(.keepAlive, from: peer) }
    }
    let next = try #require(talk.exchange.picker.downloads[0]?.sole)
    #expect(next != sole)
  }
}
