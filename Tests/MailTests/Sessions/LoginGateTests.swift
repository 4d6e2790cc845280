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

  @Test func anAddressWithTooManyFailuresWaitsAndOthersDoNot() {
    let gate = Self.gate()
    let (guesser, other) = (IPAddress(v4: 0x0A00_0001), IPAddress(v4: 0x0A00_0002))
    for _ in 0..<3 {
      #expect(gate.isOpen(to: guesser, now: Self.start))
      gate.noteFailure(of: guesser, now: Self.start)
    }
    #expect(!gate.isOpen(to: guesser, now: Self.start))
    #expect(gate.isOpen(to: other, now: Self.start))
    // A period later they still count, two periods later they don't.
    #expect(!gate.isOpen(to: guesser, now: Self.start + .seconds(61)))
    #expect(gate.isOpen(to: guesser, now: Self.start + .seconds(125)))
  }

  @Test func allBeginAnewWhenItForgets() {
    let gate = Self.gate()
    for _ in 0..<3 { gate.noteFailure(of: .loopbackV4, now: Self.start) }
    #expect(!gate.isOpen(to: .loopbackV4, now: Self.start))
    gate.forget(now: Self.start)
    #expect(gate.isOpen(to: .loopbackV4, now: Self.start))
  }

  @Test func aWholeIPv6NetworkIsOneGuesser() {
    let gate = Self.gate()
    for host in 1...3 { gate.noteFailure(of: IPAddress(v6: 7, UInt64(host)), now: Self.start) }
    #expect(!gate.isOpen(to: IPAddress(v6: 7, 99), now: Self.start))
    #expect(gate.isOpen(to: IPAddress(v6: 8, 1), now: Self.start))
  }

  @Test func whatIsRememberedIsBounded() {
    let gate = Self.gate(failures: 1, addresses: 10)
    for host in 0..<100 { gate.noteFailure(of: IPAddress(v4: UInt32(host)), now: Self.start) }
    #expect(gate.isOpen(to: IPAddress(v4: 0), now: Self.start))
    #expect(!gate.isOpen(to: IPAddress(v4: 99), now: Self.start))
  }
}
