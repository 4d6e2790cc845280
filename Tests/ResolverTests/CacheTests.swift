import DNSWire
import Octets
import Testing

@testable import Resolver

struct BoundedStoreTests {
  @Test func theEntryUnusedForLongestLeavesFirst() {
    var store = BoundedStore<Int, Int>(limit: 3 * (100 + BoundedStore<Int, Int>.overhead))
    for key in 1...3 { store.insert(key, key, bytes: 100) }
    #expect(store.use(1) == 1)
    store.insert(4, 4, bytes: 100)
    #expect(store.use(2) == nil)
    for key in [1, 3, 4] { #expect(store.use(key) == key) }
  }

  @Test func itNeverTakesMoreThanItsBytes() {
    var store = BoundedStore<UInt64, UInt64>(limit: 10_000)
    var generator = SeededGenerator(seed: 3)
    var model: [UInt64: Int] = [:]
    for _ in 0..<5000 {
      let key = generator.next() % 200
      switch generator.next() % 4 {
      case 0:
        store.remove(key)
        model[key] = nil
      case 1:
        if let value = store.use(key) { #expect(value == key) }
      default:
        let size = Int(generator.next() % 500)
        store.insert(key, key, bytes: size)
        model[key] = size
      }
      #expect(store.bytes <= store.limit)
    }
    var sum = 0
    var count = 0
    _ = store.visit(from: 0) { key, _, bytes in
      #expect(model[key].map { $0 + BoundedStore<UInt64, UInt64>.overhead } == bytes)
      sum += bytes
      count += 1
      return true
    }
    #expect(sum == store.bytes && count == store.count)
  }

  @Test func whatIsLargerThanTheStoreIsNotKept() {
    var store = BoundedStore<Int, Int>(limit: 1000)
    store.insert(1, 1, bytes: 10)
    store.insert(2, 2, bytes: 2000)
    #expect(store.use(1) == 1)
    #expect(store.use(2) == nil)
  }

  @Test func pagesTogetherShowEveryEntryOnce() {
    var store = BoundedStore<Int, Int>(limit: 1 << 20)
    for key in 0..<25 { store.insert(key, key, bytes: 1) }
    for key in [3, 4, 17] { store.remove(key) }
    var seen: [Int] = []
    var position: Int? = 0
    while let start = position {
      var left = 4
      position = store.visit(from: start) { key, _, _ in
        if left == 0 { return false }
        left -= 1
        seen.append(key)
        return true
      }
    }
    #expect(seen.sorted() == (0..<25).filter { ![3, 4, 17].contains($0) })
  }
}

struct RecordCacheTests {
  private func name(_ text: String) throws -> Name { try #require(Name(text)) }

  @Test func lessCredibleDataNeverReplacesMoreCredible() throws {
    let ranks: [Credibility] = [.additional, .answer, .authoritativeAnswer]
    for old in ranks {
      for new in ranks {
        var cache = RecordCache(limit: 1 << 16)
        cache.insert([try record("a.test. A 127.0.0.1")], old, now: 0)
        cache.insert([try record("a.test. A 127.0.0.2")], new, now: 1)
        let expected = new >= old ? "127.0.0.2" : "127.0.0.1"
        #expect(cache.addresses(of: try name("a.test"), now: 2).map(\.description) == [expected])
      }
    }
  }

  @Test func expiredDataGivesWayToAny() throws {
    var cache = RecordCache(limit: 1 << 16)
    cache.insert([try record("a.test. 10 A 127.0.0.1")], .authoritativeAnswer, now: 0)
    cache.insert([try record("a.test. A 127.0.0.2")], .additional, now: 10)
    #expect(cache.addresses(of: try name("a.test"), now: 10).map(\.description) == ["127.0.0.2"])
  }

  @Test func additionalDataIsNoAnswer() throws {
    var cache = RecordCache(limit: 1 << 16)
    cache.insert([try record("a.test. A 127.0.0.1")], .additional, now: 0)
    #expect(cache.find(try name("a.test"), .a, now: 0) == nil)
  }

  @Test func aSetLivesForItsTTL() throws {
    var cache = RecordCache(limit: 1 << 16)
    cache.insert([try record("a.test. 9 A 127.0.0.1"), try record("a.test. 9 A 127.0.0.2")], .answer, now: 100)
    guard case .records(let entry) = cache.find(try name("A.TEST"), .a, now: 105) else {
      Issue.record("not found")
      return
    }
    #expect(entry.records(at: 105).map(\.ttl) == [4, 4])
    #expect(cache.find(try name("a.test"), .a, now: 109) == nil)
  }

  @Test func whatIsFromATimeThatIsStillToComeIsNotBelieved() throws {
    var cache = RecordCache(limit: 1 << 16)
    cache.insert([try record("a.test. A 127.0.0.1")], .answer, now: 1000)
    #expect(cache.find(try name("a.test"), .a, now: 10) == nil)
    #expect(cache.visit(from: 0, now: 10) { _, _, _ in false } == nil)
  }

  @Test func aNegativeAnswerWithoutSOAIsNotKept() throws {
    var cache = RecordCache(limit: 1 << 16)
    cache.insertNegative(.noSuchName, try name("a.test"), .a, soa: nil, .authoritativeAnswer, now: 0)
    #expect(cache.find(try name("a.test"), .a, now: 0) == nil)
  }

  @Test func aNegativeAnswerLivesForItsSOAsTTL() throws {
    var cache = RecordCache(limit: 1 << 16)
    let soa = try record("test. 30 SOA a. b. 1 2 3 4 30")
    cache.insertNegative(.noData, try name("a.test"), .a, soa: soa, .authoritativeAnswer, now: 0)
    if case .noData = cache.find(try name("a.test"), .a, now: 29) {} else { Issue.record("gone too early") }
    #expect(cache.find(try name("a.test"), .a, now: 30) == nil)
  }

  @Test func aNameThatAppearsEndsTheWordThatItDoesNotExist() throws {
    var cache = RecordCache(limit: 1 << 16)
    let soa = try record("test. SOA a. b. 1 2 3 4 100")
    cache.insertNegative(.noSuchName, try name("a.test"), .a, soa: soa, .authoritativeAnswer, now: 0)
    cache.insert([try record("a.test. A 127.0.0.1")], .authoritativeAnswer, now: 1)
    #expect(cache.find(try name("a.test"), .mx, now: 2) == nil)
  }

  @Test func aNameIsForgottenWithAllBelowIt() throws {
    var cache = RecordCache(limit: 1 << 16)
    for text in ["a.test.", "www.A.test.", "b.test.", "xa.test."] {
      cache.insert([try record("\(text) A 127.0.0.1")], .answer, now: 0)
    }
    cache.remove(try name("a.test"))
    #expect(cache.count == 2)
    #expect(cache.find(try name("xa.test"), .a, now: 0) != nil)
  }
}
