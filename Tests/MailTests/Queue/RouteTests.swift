import MailWire
import Octets
import Testing

@testable import Mail

@Suite struct MailRouteTests {
  static func choose(_ answer: NameAnswer<MailExchanger>, seed: UInt64 = 1) -> MailRoute {
    var random = SeededGenerator(seed: seed)
    return MailRoute.choose(domain: "hamburger.edu", answer: answer, own: "mail.crepes.fr", using: &random)
  }

  static func mx(_ preference: Int, _ host: String) -> MailExchanger {
    MailExchanger(preference: preference, host: host)
  }

  @Test func preferenceFirstAndChanceAmongEquals() {
    let records = [Self.mx(20, "c"), Self.mx(10, "a"), Self.mx(10, "b"), Self.mx(30, "d"), Self.mx(10, "a")]
    var seen: Set<[String]> = []
    for seed in 0..<64 {
      guard case .hosts(let hosts) = Self.choose(.records(records), seed: UInt64(seed)) else {
        Issue.record("no hosts")
        return
      }
      seen.insert(hosts)
    }
    #expect(seen == [["a", "b", "c", "d"], ["b", "a", "c", "d"]])
  }

  @Test func withoutMXTheDomainIsTheHost() {
    #expect(Self.choose(.records([])) == .hosts(["hamburger.edu"]))
  }

  @Test func aNullMXTakesNothing() {
    guard case .refused(let status, _) = Self.choose(.records([Self.mx(0, "")])) else {
      Issue.record("not refused")
      return
    }
    #expect(status == EnhancedStatus(5, 1, 10))
    #expect(Self.choose(.records([Self.mx(0, ""), Self.mx(5, "a")])) == .hosts(["a"]))
  }

  @Test func onlyHostsThatAreBetterThanThisOne() {
    let records = [Self.mx(10, "a"), Self.mx(20, "mail.crepes.fr"), Self.mx(20, "b"), Self.mx(30, "c")]
    #expect(Self.choose(.records(records)) == .hosts(["a"]))
    guard case .refused(let status, _) = Self.choose(.records(Array(records.dropFirst()))) else {
      Issue.record("not refused")
      return
    }
    #expect(status == EnhancedStatus(5, 4, 6))
  }

  @Test func aNameThatDoesNotExistIsFinalAndSilenceIsNot() {
    guard case .refused(let status, _) = Self.choose(.noSuchName), case .deferred = Self.choose(.failed("SERVFAIL"))
    else {
      Issue.record("wrong route")
      return
    }
    #expect(status == EnhancedStatus(5, 1, 2))
  }
}

@Suite struct ResolverLookupTests {
  @Test(arguments: [
    ("Hamburger.edu", "/resolve?name=hamburger.edu&type=MX"),
    ("bücher.example", "/resolve?name=xn--bcher-kva.example&type=MX"), ("a..b", nil), ("a&b", nil),
    (Array(repeating: String(repeating: "b", count: 63), count: 4).joined(separator: "."), nil),
  ])
  func aQuestionNamesWhatTheDNSCanHave(name: String, question: String?) {
    #expect(ResolverLookup.question(name, "MX") == question)
  }
}

@Suite struct RetryScheduleTests {
  @Test(arguments: [(1, 300), (2, 900), (3, 3600), (4, 14_400), (5, 14_400), (30, 14_400)])
  func theWaitsGrowAndVaryByATenth(tries: Int, seconds: Int64) {
    var random = SeededGenerator(seed: 1)
    let waits = (0..<100).map { _ in RetrySchedule.wait(after: tries, using: &random) }
    #expect(waits.allSatisfy { abs($0 - seconds) <= seconds / 10 })
    // Not all at once: they lie on both sides and apart from each other.
    #expect(Set(waits).count > 20)
    #expect(waits.contains { $0 < seconds - seconds / 20 } && waits.contains { $0 > seconds + seconds / 20 })
  }

  @Test func theLastTryIsAtTheEndAndThenItIsGivenUp() {
    var random = SeededGenerator(seed: 1)
    #expect(RetrySchedule.next(after: 9, now: 999, expires: 1000, using: &random) == 1000)
    #expect(RetrySchedule.next(after: 9, now: 1000, expires: 1000, using: &random) == nil)
  }

  @Test func parcelsKeepLettersApartAndHaveABound() {
    func due(_ id: Int64, _ letter: Int64) -> DueRecipient {
      DueRecipient(
        id: id, letter: letter, address: "a@b.c", attempts: 0, sender: "", body: 1, size: 1, utf8: false, createdAt: 0,
        expiresAt: 0)
    }
    let parcels = Parcel.group([due(1, 1), due(2, 1), due(3, 1), due(4, 2)], limit: 2)
    #expect(parcels.map { $0.recipients.map(\.id) } == [[1, 2], [3], [4]])
  }
}
