import Octets

/// Clients of a swarm that are in it by IPv4 and by IPv6, known by their id and key (BEP 7). Where all come by one family nobody is
/// sought, and nothing is kept.
struct Twins: Sendable {
  private struct Known: Hashable {
    var client: Client
    var isSeeder: Bool
  }

  /// At how many addresses of each family a client is.
  private struct Times {
    var v4 = 0
    var v6 = 0

    var pairs: Int { min(v4, v6) }
    var isNone: Bool { v4 == 0 && v6 == 0 }

    mutating func add(_ step: Int, isV4: Bool) { if isV4 { v4 += step } else { v6 += step } }
  }

  private var known: [Known: Times]?
  /// What users' clients have moved, as each said last, by whichever family.
  private var said: [Client: Progress] = [:]
  /// Members that are one too many, since the same client is counted already.
  private(set) var seeders: Int32 = 0
  private(set) var leechers: Int32 = 0

  var areSought: Bool { known != nil }

  /// Begins: some are there already.
  mutating func seek(among members: [Member]) {
    known = [:]
    for member in members { add(member) }
  }

  mutating func add(_ member: Member) { count(member, by: 1) }

  mutating func remove(_ member: Member) { count(member, by: -1) }

  private mutating func count(_ member: Member, by step: Int) {
    guard known != nil, member.client.mark != 0 else { return }
    let key = Known(client: member.client, isSeeder: member.isSeeder)
    var times = known?[key] ?? Times()
    let before = times.pairs
    times.add(step, isV4: member.address.ip.isV4)
    known?[key] = times.isNone ? nil : times
    let more = Int32(times.pairs - before)
    if member.isSeeder { seeders += more } else { leechers += more }
    if step > 0 { note(member, isStarted: false) } else if times.isNone { forget(member.client) }
  }

  private mutating func forget(_ client: Client) {
    if !said.isEmpty, !hasClient(client) { said[client] = nil }
  }

  /// By either family.
  private func hasClient(_ client: Client) -> Bool {
    known?[Known(client: client, isSeeder: true)] != nil || known?[Known(client: client, isSeeder: false)] != nil
  }

  /// What a client has moved counts once, though it says so at each of its addresses.
  func progress(of client: Client) -> Progress? { said.isEmpty ? nil : said[client] }

  /// - Parameter isStarted: its numbers begin anew.
  mutating func note(_ member: Member, isStarted: Bool) {
    guard known != nil, member.client.mark != 0, var progress = member.progress, progress.user != nil,
      hasClient(member.client)
    else { return }
    if !isStarted, let before = said[member.client] { progress = progress.most(before) }
    said[member.client] = progress
  }

  /// Whether it is a seeder by the other family too.
  func hasSeeder(_ client: Client, besides isV4: Bool) -> Bool {
    guard let times = known?[Known(client: client, isSeeder: true)] else { return false }
    return (isV4 ? times.v6 : times.v4) > 0
  }
}
