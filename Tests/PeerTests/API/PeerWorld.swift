import EventLoop
import HTTPClient
import HTTPServer
import Logging
import Octets
import SQL
import ServiceKit
import Testing
import TorrentWire

@testable import Peer

/// Any JSON.
indirect enum JSONValue: Decodable {
  case null, flag(Bool), number(Double), text(String), list([JSONValue]), object([String: JSONValue])

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    self =
      if container.decodeNil() { .null } else if let flag = try? container.decode(Bool.self) {
        .flag(flag)
      } else if let
        number = try? container.decode(Double.self)
      { .number(number) } else if let text = try? container.decode(String.self) {
        .text(text)
      } else if let list =
        try? container.decode([JSONValue].self)
      { .list(list) } else { .object(try container.decode([String: JSONValue].self)) }
  }

  subscript(_ name: String) -> JSONValue? { if case .object(let members) = self { members[name] } else { nil } }
  var flag: Bool? { if case .flag(let flag) = self { flag } else { nil } }
  var number: Int? { if case .number(let number) = self { Int(number) } else { nil } }
  var text: String? { if case .text(let text) = self { text } else { nil } }
  var list: [JSONValue]? { if case .list(let list) = self { list } else { nil } }
}

/// A peer in this process, with its REST side on a port of its own and a download folder that goes with it.
final class PeerWorld: Sendable {
  struct Answer: Sendable {
    let status: Int
    let octets: [UInt8]
    let head: ClientResponseHead

    var body: String { String(decoding: octets, as: UTF8.self) }
    func header(_ name: String) -> String? { head.header(name) }
    var tag: String { header("etag") ?? "" }
    /// What a problem says is wrong.
    var field: String? { text("field") }

    var json: JSONValue { (try? JSON.decode(JSONValue.self, from: octets, isSnakeCase: false)) ?? .null }
    func text(_ name: String) -> String? { json[name]?.text }
    func number(_ name: String) -> Int? { json[name]?.number }
    func flag(_ name: String) -> Bool? { json[name]?.flag }
    var items: [JSONValue] { json["items"]?.list ?? [] }
  }

  static let admin = "Bearer the administrator's"
  let loop: EventLoop
  let folder = DownloadFolder()
  let api: PeerAPI
  let router = Router()
  let around: Surroundings
  let address: SocketAddress
  private let server: HTTPServer
  private let door: Door

  /// Where it takes connections of other peers.
  var peerAddress: SocketAddress { around.listening[0] }

  /// - Parameter addRoutes: what else its server shall have.
  init(limits: PeerLimits = PeerLimits(), _ addRoutes: (Router) -> Void = { _ in }) async throws {
    let egress = EgressPolicy.only([try #require(IPNetwork("127.0.0.0/8"))])
    loop = try EventLoop.start(name: "peer", egress: egress)
    let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let free = SocketAddress(ip: .loopbackV4, port: 0)
    let (chance, client) = (Chance(seed: 1), HTTPClient(on: loop))
    door = Door(limits: limits, metrics: Metrics(), on: loop)
    let listening = [try door.listen(on: free)]
    around = Surroundings(
      loop: loop, folder: folder.path, disk: BlockingPool(threads: 2, queueLimit: 1024),
      checks: BlockingPool(threads: 2, queueLimit: 4096), making: BlockingPool(threads: 2), client: client,
      trackers: TrackerClient(
        http: HTTPTrackerClient(client),
        udp: UDPTrackerClient(
          on: loop, resolver: { _ in throw LookUpError(description: "no names here") }, chance: chance)),
      clock: WorldClock(on: loop), chance: chance, log: log,
      events: EventHub<PeerEvent> { if case .reset = $0 { true } else { false } },
      store: try PeerStore(path: folder.elsewhere + "/peer.sqlite"), limits: limits,
      cache: ChunkCache(octets: limits.uploadCache), openFiles: OpenFiles(limit: limits.openFiles),
      pieceMemory: PieceMemory(limit: limits.pieceMemory),
      peerID: try #require(PeerID(Array("-NU0100-\(UInt32.random(in: 100_000_000 ... 999_999_999))abc".utf8))),
      key: [1, 2, 3, 4],
      source: nil, listening: listening, upload: RateLimiter(rate: nil, on: loop),
      download: RateLimiter(rate: nil, on: loop), isFreeRider: false, leavesOnComplete: false)
    let torrents = Torrents(around)
    await torrents.open(door)
    door.open(to: torrents)
    api = PeerAPI(torrents: torrents, jobs: Jobs(), around: around) { request in
      guard Access.credentials(request) == .bearer(Array("the administrator's".utf8)) else { throw Unauthorized() }
    }
    api.addRoutes(to: router)
    addRoutes(router)
    server = HTTPServer(router: router)
    address = try server.listen(on: free, loops: [loop])
  }

  /// What goes on by itself, as a download does, would go on beneath all later tests and the end of the process.
  deinit {
    loop.stop()
    for pool in [around.disk, around.checks, around.making] { pool.stop() }
    around.store.database.close()
  }

  /// What is touched on its loop alone, as a test looks at it.
  func onLoop<Value: Sendable>(_ look: @escaping @Sendable () -> Value) async -> Value {
    await withCheckedContinuation { continuation in loop.submit { continuation.resume(returning: look()) } }
  }

  /// Connections of other peers, and calls to them that are under way.
  var connections: Int { get async { await onLoop { [door] in door.count } } }
  var calls: Int { get async { await onLoop { [door] in door.calls } } }
  func set(calls: Int) async { await onLoop { [door] in door.calls = calls } }

  func ask(
    _ method: String, _ path: String, _ body: String? = nil, ifMatch: String? = nil,
    _ more: [(name: String, value: String)] = []
  ) async throws -> Answer {
    try await ask(
      method, path, octets: body.map { Array($0.utf8) }, type: body == nil ? nil : "application/json",
      (ifMatch.map { [("If-Match", $0)] } ?? []) + more)
  }

  func ask(
    _ method: String, _ path: String, octets: [UInt8]?, type: String?, _ more: [(name: String, value: String)] = []
  ) async throws -> Answer {
    var headers = [(name: "Authorization", value: Self.admin)] + more
    if let type { headers.append(("Content-Type", type)) }
    var request = ClientRequest(method, "http://\(address)\(path)", headers: headers, body: octets)
    request.bodyLimit = 64 << 20
    let response = try await around.client.send(request)
    return Answer(status: response.status, octets: response.body, head: response.head)
  }

  // MARK: What tests are about

  static let content = Array(repeatElement(Array("flour, milk, eggs\n".utf8), count: 5000).joined())

  /// A torrent of one file; its .torrent file.
  static func torrent(_ name: String = "film.bin", _ octets: [UInt8] = content, pieceLength: Int = 16_384) throws
    -> [UInt8]
  {
    var hashes: [UInt8] = []
    for start in stride(from: 0, to: octets.count, by: pieceLength) {
      hashes += try Secrets.sha1(Array(octets[start..<min(octets.count, start + pieceLength)]))
    }
    return MetainfoBuilder(
      name: name, files: [(path: [], length: Int64(octets.count))], pieceLength: pieceLength, hashes: hashes
    ).encoded()
  }

  /// A torrent of a folder with so many files of one octet each; nobody has them.
  static func manyFiles(_ count: Int) -> [UInt8] {
    MetainfoBuilder(
      name: "many", files: (0..<count).map { (path: ["\($0)"], length: 1) }, pieceLength: 1 << 26,
      hashes: Array(repeating: 0, count: 20)
    ).encoded()
  }

  /// - Returns: where it is.
  func add(_ torrent: [UInt8]) async throws -> String {
    let answer = try await ask("POST", "/v1/torrents", octets: torrent, type: "application/x-bittorrent")
    #expect(answer.status == 201, "\(answer.body)")
    return answer.header("location") ?? ""
  }

  /// A torrent that is whole already.
  func share(_ name: String = "film.bin") async throws -> String {
    try folder.write(Self.content, to: name)
    let place = try await add(try Self.torrent(name))
    try await wait(place, "seeding")
    return place
  }

  func wait(_ place: String, _ state: String) async throws {
    for _ in 0..<1000 {
      if try await ask("GET", place).text("state") == state { return }
      await loop.sleep(for: .milliseconds(10))
    }
    Issue.record("never \(state): \(try await ask("GET", place).body)")
  }

  func job(_ answer: Answer) async throws -> Answer {
    let place = try #require(answer.header("location"))
    for _ in 0..<1000 {
      let job = try await ask("GET", place)
      if job.flag("done") == true { return job }
      await loop.sleep(for: .milliseconds(10))
    }
    Issue.record("\(place) never ends")
    return answer
  }

  static let magnet = "magnet:?xt=urn:btih:2b8fe7f5a7e2a7e0f1b1c6b7b5f2a1a9f8e7d6c5"
  static let magnetPlace = "/v1/torrents/2b8fe7f5a7e2a7e0f1b1c6b7b5f2a1a9f8e7d6c5"

  /// A torrent of which only the magnet link is known.
  func addMagnet() async throws -> String {
    let answer = try await ask("POST", "/v1/torrents", #"{"magnet":"\#(Self.magnet)"}"#)
    #expect(answer.status == 201 && answer.text("state") == "fetching_info", "\(answer.body)")
    return Self.magnetPlace
  }
}
