import Octets

/// The chapter of the swarm: a file that one peer has comes to three others, who give it to each other.
struct SwarmStory: Sendable {
  let stage: Stage
  private static let newcomers = ["peer2", "peer3", "peer4"]

  func play() async throws(Trouble) {
    stage.chapter(
      7, "peer1 shares a file. Three peers learn of it by its magnet link, and give each other what they have.")
    let torrents = try await stage.show("peer1", "GET", "/v1/torrents")
    guard let torrent = torrents["items"]?.array?.first, let hash = torrent["info_hash"]?.string,
      let magnet = torrent["magnet"]
    else { throw Trouble("peer1 shares nothing: `utopia seed` puts back what the world file says") }
    stage.tell("  \(torrent["name"]?.text ?? ""), \(torrent["pieces"]?.text ?? "") pieces: \(magnet.text)")
    try await forget(hash)
    stage.tell("\n  Its link is made slow, so that there is something to see: two megabytes a second.")
    try await stage.show("peer1", "PATCH", "/v1/limits", ["upload_limit": 2_000_000])
    do throws(Trouble) {
      try await spread(hash, magnet)
    } catch {
      // It stays slow for nobody who comes after this.
      _ = try? await stage.door("peer1").ask("PATCH", "/v1/limits", ["upload_limit": 0])
      throw error
    }
    try await stage.show("peer1", "PATCH", "/v1/limits", ["upload_limit": 0])
    try await whoGave(hash)
    try await why(hash)
    stage.tell("\n  The tracker has seen all of them.")
    let seen = try await stage.show("tracker", "GET", "/v1/torrents/\(hash)")
    stage.tell("  \(seen["seeders"]?.text ?? "") seeders, \(seen["downloads"]?.text ?? "") downloads")
  }

  private func spread(_ hash: String, _ magnet: JSON) async throws(Trouble) {
    for name in Self.newcomers { try await stage.show(name, "POST", "/v1/torrents", ["magnet": magnet]) }
    for name in Self.newcomers {
      let door = try stage.door(name)
      _ = try await stage.await("\(name)'s download") { () async throws(Trouble) -> JSON? in
        let state = try await door.ask("GET", "/v1/torrents/\(hash)")
        if let error = state["error"]?.string { throw Trouble("\(name): \(error)") }
        return state["state"]?.string == "seeding" ? state : nil
      }
    }
  }

  /// A tour before this one may have left them with the file.
  private func forget(_ hash: String) async throws(Trouble) {
    for name in Self.newcomers {
      let reply = try await stage.door(name).send("DELETE", "/v1/torrents/\(hash)?data=true")
      guard reply.isSuccess || reply.status == 404 else {
        throw Trouble("\(name) can't forget the file: \(reply.status)")
      }
    }
  }

  private func whoGave(_ hash: String) async throws(Trouble) {
    stage.tell("\n  From whom each of them got its pieces; one that several gave counts for each of them:")
    let names = try names()
    var table = Table(["  PEER"] + (["peer1"] + Self.newcomers).map { "FROM \($0)" })
    for name in Self.newcomers {
      var counts: [String: Int] = [:]
      for decision in try await stage.door(name).items("/v1/torrents/\(hash)/decisions")
      where decision["event"]?.string == "piece.finished" {
        for giver in decision["peers"]?.array ?? [] {
          let address = giver.text.split(separator: ":").first.map(String.init) ?? ""
          counts[names[address] ?? address, default: 0] += 1
        }
      }
      let cells = ["peer1", "peer2", "peer3", "peer4"].map { $0 == name ? "" : "\(counts[$0] ?? 0)" }
      table.add("  \(name)", cells[0], cells[1], cells[2], cells[3])
    }
    stage.tell(table.text.split(separator: "\n").joined(separator: "\n"))
  }

  /// The peers by their addresses.
  private func names() throws(Trouble) -> [String: String] {
    var names: [String: String] = [:]
    for name in ["peer1"] + Self.newcomers { names["\(try stage.host(name).address)"] = name }
    return names
  }

  /// The first of each kind of decision.
  private func why(_ hash: String) async throws(Trouble) {
    stage.tell("\n  Each decision has its reason. Of each kind the first, at peer2:")
    let path = "/v1/torrents/\(hash)/decisions"
    stage.tell("  $ curl -H \"$TOKEN\" '\(try stage.door("peer2").url)\(path)'")
    var told: Set<String> = []
    let names = try names()
    for decision in try await stage.door("peer2").items(path) {
      guard let reason = decision["reason"]?.string, let event = decision["event"]?.string,
        event != "peer.disconnected", told.insert(event + reason).inserted
      else { continue }
      var shown: [String: JSON] = [:]
      for key in ["event", "peer", "piece", "reason", "availability", "equals", "rate", "lowest"] {
        shown[key] = decision[key]
      }
      // Who has called is seen at a port that it calls from.
      let peer = decision["peer"]?.string.flatMap { $0.split(separator: ":").first }.flatMap { names[String($0)] }
      stage.tell("  \(JSON.object(shown).text)" + (peer.map { "  (\($0))" } ?? ""))
    }
  }
}
