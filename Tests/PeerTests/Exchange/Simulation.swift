import EventLoop
import Octets
import ServiceKit
import TorrentWire

@testable import Peer

/// A swarm in memory: peers with links of a given rate, a clock that jumps from one event to the next, and chance from a seed.
final class Simulation {
  final class Node {
    let number: Int
    var exchange: Exchange
    /// Octets a second.
    let uploadRate: Double
    let givesBad: Bool
    var isHere = true
    var completedAt: Double?
    /// The connection with each other node, by the number it has here.
    var links: [PeerNumber: (node: Int, theirs: PeerNumber)] = [:]
    var linkFreeAt = 0.0
    var isPumping = false
    /// Whose turn it is.
    var queue: [PeerNumber] = []
    var events: [(time: Double, event: ExchangeEvent)] = []
    var received: [Int: Int] = [:]

    init(_ number: Int, _ exchange: Exchange, _ uploadRate: Double, givesBad: Bool) {
      self.number = number
      self.exchange = exchange
      self.uploadRate = uploadRate
      self.givesBad = givesBad
    }
  }

  private struct Event {
    var time: Double
    var order: Int
    var work: () -> Void
  }

  let info: TorrentInfo
  let latency: Double
  private(set) var nodes: [Node] = []
  private(set) var time = 0.0
  private var events: [Event] = []
  private var order = 0
  private var seed: UInt64
  private let good: [UInt8]
  private let bad: [UInt8]

  init(pieces: Int, latency: Double = 0.02, seed: UInt64 = 1) throws {
    info = try Make.info(pieces: pieces)
    self.latency = latency
    self.seed = seed
    good = Array(repeating: 0x55, count: Block.size)
    bad = Array(repeating: 0xAA, count: Block.size)
  }

  var now: Instant { Make.time(time) }

  @discardableResult
  func add(
    uploadRate: Double, isSeeder: Bool = false, givesBad: Bool = false, have: Bitfield? = nil,
    memory: PieceMemory = PieceMemory(limit: PeerLimits().pieceMemory),
    _ change: (inout Exchange.Settings) -> Void = { _ in }
  ) -> Node? {
    let number = nodes.count + 1
    var settings = Exchange.Settings()
    change(&settings)
    guard let hash = Make.hash(), let id = Make.id(number) else { return nil }
    let all = Bitfield(pieceCount: info.pieceCount, isFull: true)
    let exchange = Exchange(
      infoHash: hash, info: info, have: isSeeder ? all : have, peerID: id, settings: settings,
      random: Chance(seed: seed &+ UInt64(number)), memory: memory, at: now)
    let node = Node(number, exchange, uploadRate, givesBad: givesBad)
    nodes.append(node)
    tick(node)
    return node
  }

  func connect(_ one: Node, _ other: Node) {
    guard let hash = Make.hash() else { return }
    let hello = { (node: Node) in Handshake(infoHash: hash, peerID: node.exchange.peerID) }
    guard
      case .success(let theirs) = other.exchange.join(
        Make.address(one.number), hello(one), isOutgoing: false, at: now),
      case .success(let ours) = one.exchange.join(Make.address(other.number), hello(other), isOutgoing: true, at: now)
    else { return }
    one.links[ours] = (other.number, theirs)
    other.links[theirs] = (one.number, ours)
    act(one)
    act(other)
  }

  func connectAll() {
    for one in nodes where one.isHere {
      for other in nodes where other.isHere && other.number > one.number { connect(one, other) }
    }
  }

  func leave(_ node: Node) {
    node.isHere = false
    for (number, link) in node.links {
      let other = nodes[link.node - 1]
      if let peer = other.exchange.peers[link.theirs] { other.exchange.gone(peer, .lost("left"), at: now) }
      other.links[link.theirs] = nil
      if let peer = node.exchange.peers[number] { node.exchange.gone(peer, .lost("left"), at: now) }
      act(other)
    }
    node.links = [:]
    node.exchange.actions = []
  }

  /// Runs until the time, or until nothing is left that `goesOn` asks for.
  func run(until end: Double, while goesOn: () -> Bool = { true }) {
    while let next = events.first, next.time <= end, goesOn() {
      pop()
      time = next.time
      next.work()
    }
    if goesOn() { time = end }
  }

  func node(at address: SocketAddress) -> Node? {
    nodes.first { Make.address($0.number).ip == address.ip }
  }

  private func tick(_ node: Node) {
    after(1) { [self] in
      guard node.isHere else { return }
      node.exchange.tick(at: now)
      act(node)
      tick(node)
    }
  }

  private func act(_ node: Node) {
    for action in node.exchange.takeActions() {
      switch action {
      case .send(let peer, let message): deliver(message, from: node, to: peer)
      case .serve(let peer):
        if !node.queue.contains(peer) { node.queue.append(peer) }
        pump(node)
      case .store(let piece, let blocks):
        let isGood = blocks.allSatisfy { $0.first == 0x55 }
        after(0.001) { [self] in
          guard node.isHere else { return }
          node.exchange.checked(piece, isGood ? .good : .bad, at: now)
          act(node)
        }
      case .close(let peer, _):
        guard let link = node.links.removeValue(forKey: peer) else { continue }
        let other = nodes[link.node - 1]
        after(latency) { [self] in
          guard other.links.removeValue(forKey: link.theirs) != nil else { return }
          if let state = other.exchange.peers[link.theirs] { other.exchange.gone(state, .lost("closed"), at: now) }
          act(other)
        }
      case .tell(let event):
        node.events.append((time, event))
        if case .completed = event { node.completedAt = time }
      case .fetch, .abandon, .met, .checkMetadata: break
      }
    }
  }

  private func deliver(_ message: PeerMessage, from node: Node, to peer: PeerNumber, after delay: Double = 0) {
    guard let link = node.links[peer] else { return }
    let other = nodes[link.node - 1]
    after(delay + latency) { [self] in
      guard other.links[link.theirs] != nil else { return }
      if case .piece(_, _, let content) = message { other.received[node.number, default: 0] += content.count }
      other.exchange.received(message, from: link.theirs, at: now)
      act(other)
    }
  }

  /// One block at a time, at the link's rate, in turn among those who wait.
  private func pump(_ node: Node) {
    guard !node.isPumping else { return }
    while let peer = node.queue.first {
      node.queue.removeFirst()
      guard let block = node.exchange.nextUpload(for: peer, at: now) else { continue }
      node.queue.append(peer)
      let took = Double(block.length) / node.uploadRate
      let content = Array((node.givesBad ? bad : good)[..<block.length])
      deliver(.piece(piece: block.piece, offset: block.offset, content: content), from: node, to: peer, after: took)
      node.isPumping = true
      after(took) { [self] in
        node.isPumping = false
        pump(node)
      }
      return
    }
  }

  // MARK: The order of events: a heap by time, then by when they were thought of.

  func after(_ delay: Double, _ work: @escaping () -> Void) {
    order += 1
    events.append(Event(time: time + delay, order: order, work: work))
    var place = events.count - 1
    while place > 0, isBefore(place, (place - 1) / 2) {
      events.swapAt(place, (place - 1) / 2)
      place = (place - 1) / 2
    }
  }

  private func isBefore(_ one: Int, _ other: Int) -> Bool {
    (events[one].time, events[one].order) < (events[other].time, events[other].order)
  }

  private func pop() {
    events.swapAt(0, events.count - 1)
    events.removeLast()
    var place = 0
    while true {
      var least = place
      for child in [2 * place + 1, 2 * place + 2] where child < events.count && isBefore(child, least) { least = child }
      guard least != place else { return }
      events.swapAt(place, least)
      place = least
    }
  }
}
