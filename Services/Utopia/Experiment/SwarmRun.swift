import EventLoop
import Octets

/// The peer-to-peer way: a tracker, a seeder with the server's link, and peers with theirs, each a process of its own.
struct SwarmRun {
  /// What some peers do otherwise.
  struct Behaviour: Sendable {
    /// How many give nothing.
    var freeRiders = 0
    /// How many go in the middle of it and come back.
    var churn = 0
    /// Those that come back do so at another address.
    var comesBackElsewhere = false
    /// Each goes as soon as it has all.
    var leavesOnComplete = false
    /// Peers that the seeder gives something to at a time.
    var seederSlots: Int
    var slots = 4
  }

  let laboratory: Laboratory
  let distribution: Distribution
  /// Of the file, in the seeder's download folder.
  let name: String
  let pieceLength: Int
  let behaviour: Behaviour

  private static let firstPort: UInt16 = 9000

  /// - Parameter run: a number of its own for each run, for the names of folders.
  func run(
    _ run: Int, peers: Int, file: String, progress: @escaping @Sendable (Int, Double) -> Void
  ) async throws -> DistributionResult {
    let tracker = try await laboratory.start(
      "utopia-tracker", "run\(run)-tracker", port: 8999,
      ["--http", "\(laboratory.network.address(30, 1)):6969", "--interval", "30"])
    let seeder = try await peer(run, 0, up: distribution.serverUp, down: nil, slots: behaviour.seederSlots)
    let (path, metainfo) = try await share(file, at: seeder)
    var members: [Member] = []
    for number in 1...peers {
      let isRider = number > peers - behaviour.freeRiders
      members.append(Member(number: number, isRider: isRider, bench: try await start(run, number, isRider: isRider)))
    }
    let start = Instant.current
    try await withThrowingTaskGroup(of: Void.self) { group in
      for member in members { group.addTask { try await add(metainfo, at: member.bench) } }
      try await group.waitForAll()
    }
    try await watch(&members, path, run, since: start, metainfo, progress)
    let serverSent = try await seeder.door.ask("GET", path)["uploaded"]?.int ?? 0
    for member in members { await laboratory.stop(member.bench.child) }
    await laboratory.stop(seeder.child)
    await laboratory.stop(tracker.child)
    let times = members.filter { !$0.isRider }.compactMap(\.completedAt).sorted()
    let riderTimes = members.filter(\.isRider).compactMap(\.completedAt).sorted()
    return DistributionResult(
      way: .peerToPeer, peers: peers,
      bound: distribution.bound(.peerToPeer, peers: peers, givers: peers - behaviour.freeRiders),
      measured: (times + riderTimes).max() ?? 0, times: times, riderTimes: riderTimes, serverSent: serverSent)
  }

  private struct Member: Sendable {
    let number: Int
    let isRider: Bool
    var bench: Laboratory.Bench
    var completedAt: Double?
    var progress = 0.0
  }

  private func start(_ run: Int, _ number: Int, isRider: Bool, elsewhere: Bool = false) async throws -> Laboratory.Bench
  {
    var more: [String] = []
    if isRider { more.append("--free-rider") }
    if behaviour.leavesOnComplete { more.append("--leave-on-complete") }
    return try await peer(
      run, number, up: distribution.peerUp, down: distribution.peerDown, slots: behaviour.slots, elsewhere: elsewhere,
      more)
  }

  private func peer(
    _ run: Int, _ number: Int, up: DataRate, down: DataRate?, slots: Int, elsewhere: Bool = false, _ more: [String] = []
  ) async throws -> Laboratory.Bench {
    let address = laboratory.network.address(elsewhere ? 32 : 31, UInt8(clamping: number + 1))
    var arguments = [
      "--bittorrent", "\(address):6881", "--upload-limit", "\(up.octets)", "--upload-slots", "\(slots)",
    ]
    if let down { arguments += ["--download-limit", "\(down.octets)"] }
    return try await laboratory.start(
      "utopia-peer", "run\(run)-peer\(number)", port: Self.firstPort + UInt16(number), arguments + more)
  }

  /// Makes the torrent at the seeder.
  /// - Returns: the torrent's path, and its .torrent file.
  private func share(_ file: String, at seeder: Laboratory.Bench) async throws -> (path: String, metainfo: [UInt8]) {
    try Files.makeFolder("\(laboratory.folder)/\(seeder.name)/downloads")
    try Files.link(file, to: "\(laboratory.folder)/\(seeder.name)/downloads/\(name)")
    let job = try await seeder.door.ask(
      "POST", "/v1/torrents",
      [
        "path": .string(name), "piece_length": .number(Double(pieceLength)),
        "trackers": [.string("http://\(laboratory.network.address(30, 1)):6969/announce")],
      ])
    while true {
      let state = try await seeder.door.ask("GET", "/v1/jobs/\(job["id"]?.int ?? 0)")
      if let error = state["error"]?.string { throw Trouble("the torrent could not be made: \(error)") }
      if let path = state["result"]?.string {
        while try await standing(of: path, at: seeder)["state"]?.string != "seeding" {
          await laboratory.loop.sleep(for: .milliseconds(20))
        }
        let reply = try await seeder.door.send("GET", path + "/metainfo")
        guard reply.isSuccess else { throw seeder.door.refusal("GET", path, reply) }
        return (path, reply.body)
      }
      await laboratory.loop.sleep(for: .milliseconds(20))
    }
  }

  /// A torrent at a peer; one that stands still ends the run.
  private func standing(of path: String, at bench: Laboratory.Bench) async throws -> JSON {
    let state = try await bench.door.ask("GET", path)
    if state["state"]?.string == "failed" { throw Trouble("\(bench.name) failed: \(state["error"]?.text ?? "")") }
    return state
  }

  private func add(_ metainfo: [UInt8], at bench: Laboratory.Bench) async throws {
    try await bench.door.upload("POST", "/v1/torrents", metainfo, type: "application/x-bittorrent")
  }

  /// Until all of them have all of it.
  private func watch(
    _ members: inout [Member], _ path: String, _ run: Int, since start: Instant, _ metainfo: [UInt8],
    _ progress: @Sendable (Int, Double) -> Void
  ) async throws {
    // Those go when they have a third of it, one after the other.
    var leavers = Array(members.filter { !$0.isRider }.prefix(behaviour.churn).map(\.number))
    while members.contains(where: { $0.completedAt == nil }) {
      await laboratory.loop.sleep(for: .milliseconds(100))
      for index in members.indices where members[index].completedAt == nil {
        let state = try await standing(of: path, at: members[index].bench)
        if case .number(let done)? = state["progress"] { members[index].progress = done }
        if members[index].progress >= 1 { members[index].completedAt = Instant.current.since(start) / .seconds(1) }
        if members[index].progress > 0.33, let place = leavers.firstIndex(of: members[index].number) {
          leavers.remove(at: place)
          await laboratory.stop(members[index].bench.child)
          members[index].bench = try await self.start(
            run, members[index].number, isRider: false, elsewhere: behaviour.comesBackElsewhere)
        }
      }
      let whole = members.count { $0.completedAt != nil }
      progress(whole, members.map(\.progress).reduce(0, +) / Double(members.count))
    }
  }
}
