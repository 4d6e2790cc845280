import DNSWire
import Octets

/// One question being resolved: the client's, or on top of it a name server's address that it needs.
struct Frame {
  enum State {
    /// Ask the cache for the name, else find the nearest zone.
    case lookUp
    /// Choose a server of the delegation.
    case choose
    /// Wait for servers.
    case waiting
  }

  struct Exchange {
    var ask: Ask
    /// Its patience isn't over.
    var hopeful = true
    var step: Int?
  }

  /// What the frame was opened for.
  let asked: Name
  let type: RecordType
  /// Where the aliases have led.
  var name: Name
  var state = State.lookUp
  var aliases: [ResourceRecord] = []
  var delegation: Delegation?
  var tries: [SocketAddress: Int] = [:]
  var exchanges: [Int: Exchange] = [:]
  /// What went wrong last, for a person.
  var trouble: String?
  /// Zones whose cached delegation proved useless: the parent is asked again.
  var avoided: Set<Name> = []

  init(_ name: Name, _ type: RecordType) {
    asked = name
    self.name = name
    self.type = type
  }

  mutating func enter(_ delegation: Delegation) {
    self.delegation = delegation
    tries = [:]
    state = .choose
  }
}
