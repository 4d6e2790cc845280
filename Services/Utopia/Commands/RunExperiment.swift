import ArgumentParser
import EventLoop
import Glibc
import Octets

/// Experiments with real processes and real bytes.
struct RunExperiment: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "experiment", abstract: "Measure what the textbook calculates, with real processes and real bytes.",
    subcommands: [RunDistribution.self, ServeFile.self, FetchFile.self])
}

/// Client-server against peer-to-peer distribution of a file.
struct RunDistribution: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "distribution",
    abstract: "Bring a file from one server to N peers, by client-server and by peer-to-peer.",
    discussion: """
      Each peer is a process with a link of its own; the server's and the peers' rates are held by token buckets over the bytes \
      that they really send. Beside what is measured stands the least that is possible by the textbook's formulas.
      """)

  @Option(help: "Size of the file, such as 64MiB, 1GB or 500kB (default: 64MiB).")
  var size: DataSize?

  @Option(help: "How many peers; several with commas: 1,5,10 (default: 10).")
  var peers: String?

  @Option(help: "What the server can give, such as 80Mbps, 500kbps or 1Gbps (default: 80Mbps).")
  var serverUp: DataRate?

  @Option(help: "What each peer can give, in the same units (default: 8Mbps).")
  var peerUp: DataRate?

  @Option(help: "What each peer can take, in the same units (default: 20Mbps).")
  var peerDown: DataRate?

  @Option(help: "The slides' numbers in place of those: example (10 peers) or curve (1 to 35), scaled down by --scale.")
  var slides: DistributionPlan.Slides?

  @Option(
    help: "By how much the slides' file is smaller than 1 GB, and all times shorter (default: 20, of the curve 240).")
  var scale: Double?

  @Option(help: "One way alone: client-server or peer-to-peer.")
  var only: Distribution.Way?

  @Option(help: "Octets of a piece, a power of two from 16384 (default: as makes some hundred pieces, at most 262144).")
  var pieceLength: Int?

  @Option(help: "How many of the peers give nothing.")
  var freeRiders = 0

  @Option(help: "How many of the peers go when they have a third of it, and come back.")
  var churn = 0

  @Flag(help: "Those come back at another address.")
  var comeBackElsewhere = false

  @Flag(help: "Each peer goes as soon as it has all of it.")
  var leaveOnComplete = false

  @Option(
    help:
      "Peers that the seeder gives something to at a time (default: all, as the server does that it stands for; 4 where some give nothing, who get no less than others from one that gives to all)."
  )
  var seederSlots: Int?

  @Option(help: "Write the result as JSON to this file; - is standard output.")
  var json: String?

  @Option(help: "Draw the result over the number of peers, as SVG, to this file.")
  var svg: String?

  @Option(help: "The second number of the addresses that are used, 1 to 255: 127.N.x.y.")
  var net: UInt8 = 98

  @Option(help: "A folder for what the processes write; it is removed afterwards unless it is given.")
  var data: String?

  func validate() throws {
    guard let counts else { throw ValidationError("--peers is numbers from 1 to 200 with commas, such as 1,5,10") }
    if slides != nil {
      guard size == nil, peers == nil, serverUp == nil, peerUp == nil, peerDown == nil else {
        throw ValidationError("--slides has a size, peers and rates of its own; --scale makes it smaller")
      }
    } else if scale != nil {
      throw ValidationError("--scale is for --slides; --size says how large the file is")
    }
    guard 1...1_000_000 ~= scale ?? 1 else { throw ValidationError("--scale is 1 to 1000000") }
    if let pieceLength {
      guard 16_384...16_777_216 ~= pieceLength, pieceLength.nonzeroBitCount == 1 else {
        throw ValidationError("--piece-length is a power of two from 16384 to 16777216")
      }
    }
    guard 1...100 ~= seederSlots ?? 1 else { throw ValidationError("--seeder-slots is 1 to 100") }
    let least = slides.map { DistributionPlan($0, scale: scale).counts.min() ?? 1 } ?? counts.min() ?? 1
    guard freeRiders >= 0, churn >= 0, freeRiders + churn <= least else {
      throw ValidationError("--free-riders and --churn together can't be more than there are peers")
    }
    if comeBackElsewhere, churn == 0 {
      throw ValidationError("--come-back-elsewhere is for those that --churn lets go and come back")
    }
    if only == .clientServer, freeRiders + churn > 0 || leaveOnComplete {
      throw ValidationError(
        "--free-riders, --churn and --leave-on-complete are for peers: --only client-server has none")
    }
    guard net > 0 else { throw ValidationError("--net is 1 to 255: network 0 is the world's own") }
  }

  private var counts: [Int]? {
    let numbers = (peers ?? "10").split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    guard numbers.allSatisfy({ $0.map { 1...200 ~= $0 } ?? false }) else { return nil }
    return numbers.compactMap { $0 }
  }

  func run() throws {
    // They are read from a descriptor, so that what was started is ended first.
    SignalWatcher.block([SIGINT, SIGTERM])
    let plan = plan
    let options = self
    // A result that can't be written is better known before than after.
    for path in [json, svg] { if let path, path != "-" { try telling { try Files.write("", to: path) } } }
    let folder = try folder()
    defer { if data == nil { Files.removeFolder(folder) } }
    try runOnLoop { loop in
      try await options.measure(plan, in: folder, on: loop)
    }
  }

  private var plan: DistributionPlan {
    if let slides { return DistributionPlan(slides, scale: scale) }
    return DistributionPlan(
      Distribution(
        size: size ?? DataSize(octets: 64 << 20), serverUp: serverUp ?? DataRate(bitsPerSecond: 80e6),
        peerUp: peerUp ?? DataRate(bitsPerSecond: 8e6), peerDown: peerDown ?? DataRate(bitsPerSecond: 20e6)),
      counts: counts ?? [])
  }

  private func folder() throws -> String {
    if let data {
      try telling {
        try Files.makeFolder(data)
        // Its peers would find what they had then.
        if Files.exists(data + "/sample") {
          throw Trouble("\(data) has an experiment in it already: give an empty folder")
        }
      }
      return Files.absolute(data)
    }
    let place = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
    var name = Array("\(place)/utopia-experiment-XXXXXX".utf8CString)
    guard unsafe mkdtemp(&name) != nil else { throw Trouble.system(place) }
    return String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// As a shell tells the end by SIGINT.
  private static let interrupted = ExitCode(130)

  private func measure(_ plan: DistributionPlan, in folder: String, on loop: EventLoop) async throws {
    let file = folder + "/sample"
    try SampleFile.write(plan.distribution.size, to: file)
    let laboratory = try Laboratory(in: folder, network: Network(127, net), on: loop)
    let signals = try SignalWatcher([SIGINT, SIGTERM], on: loop) { _ in
      loop.spawn {
        await laboratory.close()
        if data == nil { Files.removeFolder(folder) }
        Glibc.exit(Self.interrupted.rawValue)
      }
    }
    defer { withExtendedLifetime(signals) {} }
    let quiet = json == "-"
    if !quiet {
      let least = plan.seconds(only, freeRiders: freeRiders)
      say(
        "\(plan.title).\nAll of it takes at least \(least < 120 ? "\(rounded(least, 0)) s" : "\(rounded(least / 60, 0)) minutes")."
      )
    }
    var results: [DistributionResult] = []
    do {
      for (index, count) in plan.counts.enumerated() {
        for way in Distribution.Way.allCases where only ?? way == way {
          results.append(try await measure(way, count, index, plan, file, laboratory, quiet))
        }
      }
    } catch {
      // Interrupted, it fails for that alone: what it waited for is being ended.
      let failure = await laboratory.isClosed ? Self.interrupted : error
      await laboratory.close()
      throw failure
    }
    await laboratory.close()
    try show(results, plan, quiet)
  }

  private func measure(
    _ way: Distribution.Way, _ count: Int, _ index: Int, _ plan: DistributionPlan, _ file: String,
    _ laboratory: Laboratory,
    _ quiet: Bool
  ) async throws -> DistributionResult {
    let bound = plan.distribution.bound(way, peers: count, givers: count - freeRiders)
    let line = "\(way.rawValue), \(count) peer\(count == 1 ? "" : "s"), at least \(rounded(bound, 1)) s"
    let isTerminal = isatty(1) == 1
    if !quiet { say(line + ": ", terminator: isTerminal ? "" : "\n") }
    let show: @Sendable (String) -> Void = { text in
      if !quiet, isTerminal { say("\r\u{1B}[K\(line): \(text)", terminator: "") }
    }
    let result: DistributionResult
    switch way {
    case .clientServer:
      result = try await ServerRun(laboratory: laboratory, distribution: plan.distribution, file: file).run(
        peers: count
      ) {
        show("\($0) of \(count) have it")
      }
    case .peerToPeer:
      let behaviour = SwarmRun.Behaviour(
        freeRiders: freeRiders, churn: churn, comesBackElsewhere: comeBackElsewhere, leavesOnComplete: leaveOnComplete,
        seederSlots: seederSlots ?? (freeRiders > 0 ? 4 : min(count, 100)))
      result = try await SwarmRun(
        laboratory: laboratory, distribution: plan.distribution, name: "sample",
        pieceLength: pieceLength ?? plan.pieceLength,
        behaviour: behaviour
      ).run(index, peers: count, file: file) { whole, progress in
        show("\(Int(progress * 100)) %, \(whole) of \(count) have it")
      }
    }
    let words = "\(rounded(result.measured, 1)) s, \(rounded(result.ratio, 2)) times the bound"
    if !quiet { say(isTerminal ? "\r\u{1B}[K\(line): \(words)" : "  \(words)") }
    return result
  }

  private func show(_ results: [DistributionResult], _ plan: DistributionPlan, _ quiet: Bool) throws {
    if !quiet {
      var table = Table(["peers", "way", "bound", "measured", "ratio", "first", "median", "server sent"])
      for result in results {
        let times = (result.times + result.riderTimes).sorted()
        table.add(
          "\(result.peers)", result.way.rawValue, "\(rounded(result.bound, 1)) s", "\(rounded(result.measured, 1)) s",
          rounded(result.ratio, 2), "\(rounded(times.first ?? 0, 1)) s", "\(rounded(times[times.count / 2], 1)) s",
          "\(DataSize(octets: result.serverSent))")
      }
      say("\n" + table.text, terminator: "")
      for result in results where !result.riderTimes.isEmpty {
        let mean = { (times: [Double]) in rounded(times.reduce(0, +) / Double(max(1, times.count)), 1) }
        guard !result.times.isEmpty else {
          say("All \(result.peers) peers are free riders: they had it after \(mean(result.riderTimes)) s in the mean.")
          continue
        }
        say(
          "Of \(result.peers) peers those that give had it after \(mean(result.times)) s in the mean, the \(result.riderTimes.count) free riders after \(mean(result.riderTimes)) s."
        )
      }
    }
    if let json {
      var members: [String: JSON] = [
        "size_bytes": .number(Double(plan.distribution.size.octets)),
        "server_up_bps": .number(plan.distribution.serverUp.bitsPerSecond),
        "peer_up_bps": .number(plan.distribution.peerUp.bitsPerSecond),
        "peer_down_bps": .number(plan.distribution.peerDown.bitsPerSecond),
        "piece_length": .number(Double(pieceLength ?? plan.pieceLength)), "free_riders": .number(Double(freeRiders)),
        "churn": .number(Double(churn)), "come_back_elsewhere": .bool(comeBackElsewhere),
        "leave_on_complete": .bool(leaveOnComplete), "results": .array(results.map(\.json)),
      ]
      if let scale = plan.scale { members["scale"] = .number(scale) }
      let text = JSON.object(members).pretty + "\n"
      if json == "-" { say(text, terminator: "") } else { try Files.write(text, to: json) }
    }
    if let svg {
      let chart = Chart(
        distribution: plan.distribution, results: results, title: plan.title, freeRiders: freeRiders)
      try Files.write(chart.svg, to: svg)
    }
  }
}

extension Distribution.Way: ExpressibleByArgument {}

/// The server of the client-server way, as a process of its own.
struct ServeFile: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Serve a file at a bounded rate.", shouldDisplay: false)

  @Argument var file: String
  @Option var listen: String
  @Option(help: "Octets a second, to all clients together.") var rate: Int

  func run() throws {
    guard let address = SocketAddress(listen) else { throw ValidationError("--listen is an address and a port") }
    let server = RatedFileServer(file: file, address: address, rate: rate)
    try runOnLoop { loop in
      try server.serve(on: loop)
      say("listening")
      let watcher = try Orphan.watch(on: loop)
      while true { await loop.sleep(for: .seconds(3600)) }
      withExtendedLifetime(watcher) {}
    }
  }
}

/// A client of that way.
struct FetchFile: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fetch", abstract: "Fetch a file at a bounded rate.", shouldDisplay: false)

  @Argument var url: String
  @Option(help: "Octets a second.") var rate: Int
  @Option(help: "The address to send from.") var from: String?

  func run() throws {
    let fetch = RatedFetch(url: url, rate: rate, source: from.flatMap { IPAddress($0) })
    try runOnLoop { loop in
      let watcher = try Orphan.watch(on: loop)
      try await fetch.fetch(on: loop)
      withExtendedLifetime(watcher) {}
    }
  }
}

/// A part of an experiment ends with it.
private enum Orphan {
  static func watch(on loop: EventLoop) throws -> DescriptorWatcher {
    try DescriptorWatcher(0, .read, on: loop) { _ in Glibc.exit(1) }
  }
}
