import EventLoop
import Octets
import Testing

@testable import Mail

@Suite struct LoginGateTests {
  static let start = Instant(nanoseconds: 1_000_000_000)

  static func gate(failures: Int = 3, addresses: Int = 100) -> LoginGate {
    LoginGate(
      limits: LoginGate.Limits(failures: failures, period: .seconds(60), addresses: addresses), now: start)
  }

  @Test func anAddressWithTooManyFailuresWaitsAndOthersDoNot() async {
    let gate = Self.gate()
    let (guesser, other) = (IPAddress(v4: 0x0A00_0001), IPAddress(v4: 0x0A00_0002))
    for _ in 0..<3 {
      #expect(await gate.lets(guesser, at: Self.start))
      await gate.fail(guesser, at: Self.start)
    }
    #expect(await !gate.lets(guesser, at: Self.start))
    #expect(await gate.lets(other, at: Self.start))
    // A period later they still count, two periods later they don't.
    #expect(await !gate.lets(guesser, at: Self.start + .seconds(61)))
    #expect(await gate.lets(guesser, at: Self.start + .seconds(125)))
  }

  @Test func allBeginAnewWhenItForgets() async {
    let gate = Self.gate()
    for _ in 0..<3 { await gate.fail(.loopbackV4, at: Self.start) }
    #expect(await !gate.lets(.loopbackV4, at: Self.start))
    gate.forget(now: Self.start)
    #expect(await gate.lets(.loopbackV4, at: Self.start))
  }

  @Test func aWholeIPv6NetworkIsOneGuesser() async {
    let gate = Self.gate()
    for host in 1...3 { await gate.fail(IPAddress(v6: 7, UInt64(host)), at: Self.start) }
    #expect(await !gate.lets(IPAddress(v6: 7, 99), at: Self.start))
    #expect(await gate.lets(IPAddress(v6: 8, 1), at: Self.start))
  }

  @Test func whatIsRememberedIsBounded() async {
    let gate = Self.gate(failures: 1, addresses: 10)
    for host in 0..<100 { await gate.fail(IPAddress(v4: UInt32(host)), at: Self.start) }
    #expect(await gate.lets(IPAddress(v4: 0), at: Self.start))
    #expect(await !gate.lets(IPAddress(v4: 99), at: Self.start))
  }

  /// However many come in one moment, no more are looked at than may be wrong; and who is right is not turned away for the others.
  @Test(arguments: [(true, 3), (false, 40)]) func asManyAreLookedAtTogetherAsMayBeWrong(fails: Bool, expected: Int)
    async
  {
    let gate = Self.gate()
    let (now, most, admitted) = (Lock(0), Lock(0), Lock(0))
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<40 {
        group.addTask {
          guard await gate.enter(.loopbackV4, now: Self.start) else { return }
          let together = now.withLock { count in
            count += 1
            return count
          }
          most.withLock { $0 = max($0, together) }
          for _ in 0..<10 { await Task.yield() }
          admitted.withLock { $0 += 1 }
          now.withLock { $0 -= 1 }
          gate.leave(.loopbackV4, failed: fails, now: Self.start)
        }
      }
    }
    #expect(admitted.withLock { $0 } == expected && most.withLock { $0 } <= 3)
  }
}

extension LoginGate {
  fileprivate func lets(_ address: IPAddress, at now: Instant) async -> Bool {
    guard await enter(address, now: now) else { return false }
    leave(address, failed: false, now: now)
    return true
  }

  fileprivate func fail(_ address: IPAddress, at now: Instant) async {
    if await enter(address, now: now) { leave(address, failed: true, now: now) }
  }
}
