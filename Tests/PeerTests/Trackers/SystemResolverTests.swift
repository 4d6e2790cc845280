import EventLoop
import Octets
import Testing

@testable import Peer

@Suite struct SystemResolverTests {
  @Test("An address is its own answer, and no pool is needed for it", arguments: ["127.0.30.1", "2001:db8::1"])
  func literals(text: String) async throws {
    let pool = BlockingPool(threads: 1)
    pool.stop()
    #expect(try await SystemResolver(pool: pool).resolver(text) == [try #require(IPAddress(text))])
  }

  @Test("The system's own names are found, each address once")
  func localhost() async throws {
    let found = try await SystemResolver().addresses(of: "localhost")
    #expect(found.contains(.loopbackV4) || found.contains(.loopbackV6))
    #expect(Set(found).count == found.count)
  }

  @Test("A name that is none is an error in words", arguments: ["", "a b", "..", "localhost\u{0}x"])
  func unknown(name: String) async throws {
    let error = await #expect(throws: LookUpError.self) { try await SystemResolver().addresses(of: name) }
    #expect(error?.description.isEmpty == false)
  }
}
