import EventLoop
import Octets
import Testing

@testable import Peer

/// Whom a torrent calls, and whom it remembers.
@Suite struct AddressBookTests {
  private func addresses(_ range: Range<Int>) -> [SocketAddress] { range.map { Make.address($0) } }

  @Test func eachIsCalledInTurnAndLeftAloneLongerEachTime() {
    var book = AddressBook()
    book.learn(addresses(1..<4), from: .tracker, at: Make.time(0))
    #expect(book.callAll(at: 0) == addresses(1..<4))
    #expect(!book.hasDue(at: Make.time(9)) && book.callAll(at: 9).isEmpty)
    #expect(book.callAll(at: 10) == addresses(1..<4))
    #expect(book.callAll(at: 29).isEmpty && book.callAll(at: 30) == addresses(1..<4))
    var (now, last, pauses) = (30.0, 30.0, [Double]())
    while pauses.count < 7 {
      now += 1
      guard !book.callAll(at: now).isEmpty else { continue }
      pauses.append(now - last)
      last = now
    }
    #expect(pauses == [40, 80, 160, 320, 600, 600, 600])
  }

  @Test func itselfAndWhoHasNoPortAreNotLearnt() {
    var book = AddressBook(own: [Make.address(9)])
    book.learn([Make.address(9), SocketAddress(ip: Make.address(1).ip, port: 0)], from: .person, at: Make.time(0))
    #expect(book.count == 0)
    book.learn(addresses(1..<2), from: .tracker, at: Make.time(0))
    book.markOwn(Make.address(1))
    book.learn(addresses(1..<2), from: .person, at: Make.time(0))
    #expect(book.count == 0)
  }

  @Test func whoIsConnectedIsNotCalled() {
    var book = AddressBook()
    book.learn(addresses(1..<3), from: .tracker, at: Make.time(0))
    #expect(book.callAll(at: 0, besides: [Make.address(1)]) == [Make.address(2)])
    // Nobody has said that it is gone: it is looked at again all the same, though not each second.
    #expect(!book.hasDue(at: Make.time(9)))
    #expect(book.callAll(at: 10).contains(Make.address(1)))
  }

  @Test func whoWasCalledOrConnectedIsNotUntried() {
    var book = AddressBook()
    book.learn(addresses(1..<3), from: .tracker, at: Make.time(0))
    #expect(book.untried(at: 0, besides: [Make.address(1)]) == Make.address(2))
    #expect(book.untried(at: 0, besides: Set(addresses(1..<3))) == nil)
    book.called(Make.address(2), at: Make.time(10))
    #expect(book.untried(at: 10, besides: [Make.address(1)]) == nil)
    // Who made room is no reason for the next to do so.
    book.parted(Make.address(1), wasOfUse: false, isSeeder: false, at: Make.time(10))
    #expect(book.untried(at: 1000) == nil)
    // Where there is a place, they are called as ever.
    #expect(Set(book.callAll(at: 1000)) == Set(addresses(1..<3)))
  }

  /// Else it would take somebody's place again and again, who is no better than who has it.
  @Test func whoIsThereElsewhereOrNotDueMakesNoRoom() {
    var book = AddressBook()
    book.learn(addresses(1..<2), from: .tracker, at: Make.time(0))
    book.learn(addresses(2..<3), from: .tracker, at: Make.time(9))
    // Who was of use and waits longest is not taken for the one who is new.
    book.parted(Make.address(1), wasOfUse: true, isSeeder: false, at: Make.time(0))
    #expect(book.untried(at: 8) == nil)
    #expect(book.untried(at: 9) == Make.address(2))
    book.isThereElsewhere(Make.address(2), at: Make.time(9))
    #expect(book.untried(at: 9) == nil && book.untried(at: 2000) == nil)
    #expect(Set(book.callAll(at: 2000)) == Set(addresses(1..<3)))
  }

  @Test func aSeederCallsNoSeeders() {
    var book = AddressBook()
    book.learn(addresses(1..<3), from: .tracker, at: Make.time(0))
    book.parted(Make.address(1), wasOfUse: true, isSeeder: true, at: Make.time(0))
    #expect(book.callAll(at: 10, isSeeding: true) == [Make.address(2)])
    #expect(!book.hasDue(at: Make.time(19)))
    #expect(book.callAll(at: 20) == addresses(1..<3))
  }

  @Test func anAnswerMakesUpForAllThatFailed() {
    var book = AddressBook()
    book.learn(addresses(1..<2), from: .tracker, at: Make.time(0))
    for time in [0, 10, 30, 70, 150] { #expect(book.callAll(at: Double(time)).count == 1) }
    book.reached(Make.address(1))
    book.parted(Make.address(1), wasOfUse: true, isSeeder: false, at: Make.time(200))
    #expect(book.callAll(at: 204).isEmpty && book.callAll(at: 205).count == 1)
  }

  @Test func aConnectionThatBringsNothingCountsOnce() {
    var book = AddressBook()
    book.learn(addresses(1..<2), from: .tracker, at: Make.time(0))
    var now = 0.0
    for pause in [10.0, 20, 40] {
      #expect(book.callAll(at: now).count == 1)
      book.reached(Make.address(1))
      book.parted(Make.address(1), wasOfUse: false, isSeeder: false, at: Make.time(now))
      #expect(book.callAll(at: now + pause - 1).isEmpty)
      now += pause
    }
  }

  @Test func whoIsThereElsewhereIsNotCalledSoon() {
    var book = AddressBook()
    book.learn(addresses(1..<2), from: .tracker, at: Make.time(0))
    #expect(book.callAll(at: 0).count == 1)
    book.isThereElsewhere(Make.address(1), at: Make.time(1))
    #expect(book.callAll(at: 500).isEmpty && book.callAll(at: 601).count == 1)
  }

  @Test func whatAPersonSaysGoesInAndIsCalledFirst() {
    var book = AddressBook(limit: 20)
    book.learn(addresses(0..<25), from: .tracker, at: Make.time(0))
    #expect(book.count == 20)
    book.learn([Make.address(50)], from: .person, at: Make.time(1))
    #expect(book.count == 20)
    #expect(book.next(at: Make.time(1), isSeeding: false, besides: []) == Make.address(50))
  }

  @Test func whomAPersonNamesAgainIsCalledAtOnce() {
    var book = AddressBook()
    book.learn(addresses(1..<2), from: .tracker, at: Make.time(0))
    for time in [0, 10, 30, 70, 150] { #expect(book.callAll(at: Double(time)).count == 1) }
    book.learn(addresses(1..<2), from: .person, at: Make.time(151))
    #expect(book.callAll(at: 151).count == 1 && book.callAll(at: 161).count == 1)
  }

  @Test func peersFillHalfOfItAtMost() {
    var book = AddressBook(limit: 20)
    for start in stride(from: 0, to: 40, by: 5) {
      book.learn(addresses(start..<start + 5), from: .peers, at: Make.time(0))
    }
    #expect(book.count == 10)
    // The tracker's go before those that peers have told of and that nobody has tried yet.
    book.learn(addresses(50..<75), from: .tracker, at: Make.time(0))
    #expect(book.callAll(at: 0) == addresses(50..<70))
  }

  @Test func whoNeverAnsweredMakesRoom() {
    var book = AddressBook(limit: 20)
    let (new, good) = (Make.address(30), Make.address(7))
    book.learn(addresses(0..<20), from: .tracker, at: Make.time(0))
    #expect(book.callAll(at: 0).count == 20)
    // The call that is under way has not failed.
    book.learn([new], from: .tracker, at: Make.time(1))
    #expect(book.callAll(at: 1).isEmpty)
    book.reached(good)
    book.parted(good, wasOfUse: true, isSeeder: false, at: Make.time(5))
    #expect(book.callAll(at: 10).count == 20)
    book.learn(addresses(30..<60), from: .tracker, at: Make.time(11))
    #expect(book.callAll(at: 11) == addresses(30..<49) && book.count == 20)
    #expect(book.callAll(at: 100).contains(good))
  }
}

extension AddressBook {
  fileprivate mutating func untried(at seconds: Double, besides connected: Set<SocketAddress> = []) -> SocketAddress? {
    next(at: Make.time(seconds), isSeeding: false, besides: connected, untriedOnly: true)
  }

  /// Calls all who are due; who was called.
  fileprivate mutating func callAll(
    at seconds: Double, isSeeding: Bool = false, besides connected: Set<SocketAddress> = []
  ) -> [SocketAddress] {
    var all: [SocketAddress] = []
    while let address = next(at: Make.time(seconds), isSeeding: isSeeding, besides: connected) {
      called(address, at: Make.time(seconds))
      all.append(address)
    }
    return all
  }
}
