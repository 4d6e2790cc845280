/// Which domains are served at the moment, and whether another may be.
///
/// A host that keeps silent may do so for minutes (RFC 5321 §4.5.3.2). Its domain is then set aside, so that a few such hosts
/// don't hold up the letters to everybody else.
struct RelaySlots: Sendable {
  /// Domains that get on, at a time.
  let quick: Int
  /// Domains that are set aside, at a time; beyond that the next one keeps its place among the quick ones.
  let slow: Int
  private(set) var served: Set<String> = []
  private var aside: Set<String> = []

  init(quick: Int, slow: Int) {
    self.quick = quick
    self.slow = slow
  }

  var isEmpty: Bool { served.isEmpty }

  /// Takes a domain up. False: it is served already, or there is no room.
  mutating func enter(_ domain: String) -> Bool {
    guard served.count - aside.count < quick, !served.contains(domain) else { return false }
    served.insert(domain)
    return true
  }

  /// The domain's host keeps us waiting. True where that made room for another.
  mutating func setAside(_ domain: String) -> Bool {
    guard served.contains(domain), aside.count < slow else { return false }
    return aside.insert(domain).inserted
  }

  /// The domain's host has answered.
  mutating func takeBack(_ domain: String) { aside.remove(domain) }

  mutating func leave(_ domain: String) {
    served.remove(domain)
    aside.remove(domain)
  }
}
