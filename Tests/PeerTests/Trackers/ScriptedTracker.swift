import EventLoop
import Octets
import Testing
import TorrentWire

@testable import Peer

/// A UDP tracker on a loopback port that says what a closure tells it to.
actor ScriptedTracker: DatagramOwner {
  /// What to answer to the n-th datagram, from 0; several answers, or none.
  typealias Script = @Sendable (_ number: Int, _ asked: Asked) -> [Answer]

  struct Asked: Sendable {
    var request: UDPTracker.Request
    var transaction: UInt32
    var source: SocketAddress
  }

  enum Answer: Sendable {
    case reply(UDPTracker.Reply)
    /// To another question.
    case foreign(UDPTracker.Reply)
    case octets([UInt8])
  }

  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
  nonisolated let address: SocketAddress
  private let socket: UDPSocket
  private let script: Script
  private(set) var asked: [Asked] = []

  init(on loop: EventLoop, ip: IPAddress = .loopbackV4, port: UInt16 = 0, _ script: @escaping Script) async throws {
    self.loop = loop
    self.script = script
    socket = try UDPSocket(SocketAddress(ip: ip, port: port), on: loop)
    address = socket.address
    try socket.start(self)
  }

  func close() { socket.close() }

  nonisolated func url(_ place: String = "") throws -> TrackerURL { try TrackerURL("udp://\(address)\(place)") }

  func received(_ batch: DatagramBatch, on socket: UDPSocket) {
    for index in 0..<batch.count {
      guard let (transaction, request) = batch.withOctets(index, { UDPTracker.request($0) }) else { continue }
      let one = Asked(request: request, transaction: transaction, source: batch.source(index))
      asked.append(one)
      for answer in script(asked.count - 1, one) {
        var octets: [UInt8] = []
        switch answer {
        case .reply(let reply): UDPTracker.encode(reply, transaction: transaction, into: &octets)
        case .foreign(let reply): UDPTracker.encode(reply, transaction: transaction &+ 1, into: &octets)
        case .octets(let given): octets = given
        }
        unsafe batch.reply(index, octets.span.bytes)
      }
    }
  }

  /// The kinds of what was asked, in order.
  var kinds: [String] { asked.map(\.kind) }

  /// Waits until so much was asked.
  func asked(_ count: Int) async -> [Asked] {
    while asked.count < count, !Task.isCancelled { await loop.sleep(for: .milliseconds(2)) }
    return asked
  }

  /// Gives each client the same id, and each announce the same answer.
  static func ordinary(_ reply: AnnounceReply) -> Script {
    { _, asked in
      switch asked.request {
      case .connect: [.reply(.connect(connection: 77))]
      case .announce: [.reply(.announce(reply))]
      case .scrape(_, let hashes):
        [.reply(.scrape(hashes.indices.map { .init(seeders: $0, downloads: 10, leechers: 20) }))]
      }
    }
  }
}

extension ScriptedTracker.Asked {
  var kind: String {
    switch request {
    case .connect: "connect"
    case .announce(_, let announce, _): announce.event == .none ? "announce" : "\(announce.event)"
    case .scrape: "scrape"
    }
  }

  var announce: AnnounceRequest? {
    if case .announce(_, let announce, _) = request { announce } else { nil }
  }
}

/// What tests tell trackers.
extension Make {
  static func request(_ event: AnnounceRequest.Event = .none) throws -> AnnounceRequest {
    var request = AnnounceRequest(
      infoHash: try #require(InfoHash(hex: String(repeating: "0123456789", count: 4))),
      peerID: try #require(PeerID(Array("-NU0001-abcdefghijkl".utf8))), port: 6881)
    request.event = event
    request.left = 5
    request.uploaded = 6
    request.downloaded = 7
    request.key = [1, 2, 3, 4]
    request.wanted = 30
    return request
  }

  static func reply(_ interval: Int = 1800, peers: Int = 2) -> AnnounceReply {
    var reply = AnnounceReply(interval: interval, seeders: 3, leechers: 4)
    for number in 0..<peers {
      reply.peers.append(SocketAddress(ip: IPAddress(v4: 0x7F00_1E0B + UInt32(number)), port: 6881))
    }
    return reply
  }
}
