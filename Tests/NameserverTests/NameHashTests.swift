import DNSWire
import Octets
import Testing

@testable import Nameserver

struct NameHashTests {
  private func hash(seed: UInt64) -> NameHash {
    var generator = SeededGenerator(seed: seed)
    return NameHash(using: &generator)
  }

  /// Who knows the function but not the key can't choose names that meet in the tables.
  @Test func namesThatMeetUnderOneKeyDoNotUnderAnother() throws {
    let (known, other) = (hash(seed: 1), hash(seed: 2))
    var found: [UInt32: [Name]] = [:]
    for number in 0..<20_000 {
      let name = try #require(Name("a\(number).example"))
      found[known.of(name) & 0xFFFF, default: []].append(name)
    }
    let meeting = try #require(found.values.max { $0.count < $1.count })
    #expect(meeting.count >= 4)
    #expect(Set(meeting.map { other.of($0) & 0xFFFF }).count > 1)
  }

  @Test func theSameSeedMakesTheSameHashAndCaseDoesNotMatter() throws {
    let name = try #require(Name("a-label-longer-than-eight-octets.Example"))
    #expect(hash(seed: 7).of(name) == hash(seed: 7).of(name.lowercased))
    #expect(hash(seed: 7).of(name) != hash(seed: 8).of(name))
  }

  /// By another implementation of SipHash-1-3.
  @Test func itIsSipHash() {
    struct Counting: RandomNumberGenerator {
      var values: [UInt64] = [0x0706_0504_0302_0100, 0x0F0E_0D0C_0B0A_0908]
      mutating func next() -> UInt64 { values.removeFirst() }
    }
    var generator = Counting()
    let hash = NameHash(using: &generator)
    let label: [UInt8] = [9] + Array("networks!".utf8)
    // Every octet of an array of octets is initialised.
    #expect(hash.extend(NameHash.root, unsafe label.span.bytes) == 0xABFA_0C7D_1225_355B)
  }

  /// The walk of a query and the compiler's give the same.
  @Test func queriesAndZonesAgree() throws {
    for text in ["example", "a.b.example", "UPPER.a-label-longer-than-eight-octets.example", "seven77.x.example"] {
      let name = try #require(Name(text))
      var query = QueryName(TestServer.hash)
      query.load(name.wire, at: 0, count: name.wire.count)
      #expect(query.hashes[0] == TestServer.hash.of(name))
      #expect(query.hashes[1] == TestServer.hash.of(try #require(name.parent)))
    }
  }
}
