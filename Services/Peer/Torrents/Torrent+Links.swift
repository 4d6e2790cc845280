import EventLoop
import Octets
import TorrentWire

/// Connections with other peers, and the octets that go through them.
extension Torrent {
  var takesPeers: Bool { hasPlaces || exchange?.canMakeRoom(at: loop.now) == true }
  private var hasPlaces: Bool { exchange != nil && links.count < around.limits.connectionsPerTorrent }

  // MARK: Calling

  func learn(_ addresses: [SocketAddress], from source: AddressBook.Source) {
    let now = Instant.current
    book.learn(addresses.filter { loop.egress.allows($0.ip) }, from: source, at: now)
    callMore(at: now)
  }

  func callMore(at now: Instant) {
    guard let door, takesPeers, book.hasDue(at: now) else { return }
    var connected = connected
    // Who is of no use gives its place to who may be, one at a time; not to who was of none before.
    let makesRoom = !hasPlaces
    let places = around.limits.connectionsPerTorrent + (makesRoom ? 1 : 0)
    while calls.count < around.limits.calls, links.count + calls.count < places, door.mayCall,
      let address = book.next(
        at: now, isSeeding: state == .seeding, besides: connected, untriedOnly: makesRoom)
    {
      book.called(address, at: now)
      connected.insert(address)
      call(address, door)
    }
  }

  private var connected: Set<SocketAddress> {
    calls.union(exchange?.peers.values.compactMap(\.reachableAt) ?? [])
  }

  private func call(_ address: SocketAddress, _ door: Door) {
    calls.insert(address)
    let run = run
    let source = around.source.flatMap { $0.isV4 == address.ip.isV4 ? $0 : nil }
    door.calls += 1
    loop.spawn { [loop] in
      let socket = try? await ConnectedSocket.connect(to: address, from: source, on: loop)
      door.calls -= 1
      await self.answered(address, socket, door, run)
    }
  }

  private func answered(_ address: SocketAddress, _ socket: ConnectedSocket?, _ door: Door, _ run: Int) {
    guard let socket else {
      calls.remove(address)
      return
    }
    // Who is called no more was told of by a tracker that is left.
    guard run == self.run, calls.contains(address), takesPeers else {
      socket.close()
      calls.remove(address)
      return
    }
    if !door.enter(PeerLink(socket, called: address, for: self, door: door, on: loop)) { calls.remove(address) }
  }

  /// A call that came to no handshake.
  func gotNowhere(_ address: SocketAddress) { calls.remove(address) }

  // MARK: Coming and going

  /// Both handshakes are done.
  /// - Returns: nil where the peer is not wanted.
  func join(_ link: PeerLink, _ handshake: Handshake) -> PeerNumber? {
    if let called = link.called, calls.remove(called) == nil { return nil }
    guard let exchange, takesPeers else { return nil }
    let now = Instant.current
    switch exchange.join(link.called ?? link.address, handshake, isOutgoing: link.called != nil, at: now) {
    case .success(let number):
      guard let peer = exchange.peers[number] else { return nil }
      if let called = link.called { book.reached(called) }
      links[number] = Link(
        link: link, peer: peer,
        limits: (RateLimiters([upload, around.upload]), RateLimiters([download, around.download])))
      let pieceCount = info?.pieceCount
      link.assumeIsolated { $0.knows(pieceCount: pieceCount) }
      if links.count > around.limits.connectionsPerTorrent { exchange.makeRoom(at: now) }
      act()
      return number
    case .failure(let refusal):
      if let called = link.called {
        switch refusal.end {
        case .ourselves: book.markOwn(called)
        case .badData: book.forget(called)
        default: book.isThereElsewhere(called, at: now)
        }
      }
      return nil
    }
  }

  /// The octets of a connection that came together.
  func received(_ messages: [PeerMessage], from number: PeerNumber, octets: Int) {
    guard let exchange, let link = links[number] else { return }
    let now = loop.now
    exchange.received(messages, from: number, at: now)
    let paid = min(octets, link.advance)
    links[number]?.advance -= paid
    link.limits.down.take(octets - paid)
    pace(number)
    act()
  }

  /// Stops reading from a peer while more came than may. How much comes at its turn isn't known before: a part of it is taken in
  /// advance, so that not all who wait begin to read at once.
  private func pace(_ number: PeerNumber) {
    guard let link = links[number], link.advance == 0, !link.limits.down.mayPass else { return }
    link.stream.pauseReading()
    let run = run
    link.limits.down.wait { [weak self] in
      self?.assumeIsolated { torrent in
        guard torrent.run == run, let link = torrent.links[number] else { return }
        let advance = link.limits.down.portion
        link.limits.down.take(advance)
        torrent.links[number]?.advance = advance
        link.stream.resumeReading()
      }
    }
  }

  /// What it says can't be understood.
  func broke(_ number: PeerNumber, _ fault: PeerFault) {
    guard let exchange, let peer = exchange.peers[number] else { return }
    exchange.close(peer, .fault(fault), at: loop.now)
    act()
  }

  /// The connection is over, and it was not this side that ended it.
  func lost(_ number: PeerNumber, _ reason: String) {
    links[number] = nil
    guard let exchange, let peer = exchange.peers[number] else { return }
    let now = Instant.current
    note(peer, at: now)
    exchange.gone(peer, .lost(reason), at: now)
    act()
  }

  func hangUp(_ number: PeerNumber, _ end: PeerEnd) {
    guard let link = links.removeValue(forKey: number) else { return }
    if end == .badData, let address = link.peer.reachableAt {
      book.forget(address)
    } else {
      note(link.peer, at: .current)
    }
    link.link.assumeIsolated { $0.close() }
  }

  /// Ends all connections.
  func hangUp() {
    for link in links.values {
      note(link.peer, at: .current)
      link.link.assumeIsolated { $0.close() }
    }
    links = [:]
    calls = []
  }

  /// What was seen of a peer is of use when it is to be called again, whichever side has ended it.
  private func note(_ peer: PeerState, at now: Instant) {
    guard let address = peer.reachableAt else { return }
    book.learn([address], from: .peers, at: now)
    book.parted(
      address, wasOfUse: peer.received.total + peer.sent.total > 0, isSeeder: peer.isSeeder, at: now)
  }

  // MARK: Sending

  func send(_ message: PeerMessage, to number: PeerNumber) {
    guard let link = links[number] else { return }
    var octets: [UInt8] = []
    message.append(to: &octets)
    link.stream.write(octets)
    link.limits.up.take(octets.count)
    // Who asks and reads nothing of the answers gets no more of them, and what was written is not kept for it either.
    if link.stream.pendingOctets > around.limits.ahead + around.limits.words, let peer = exchange?.peers[number] {
      link.link.assumeIsolated { $0.abort() }
      exchange?.close(peer, .lost("it reads nothing"), at: loop.now)
    }
  }

  /// Everything that was written to the peer has left.
  func drained(_ number: PeerNumber) { serve(number) }

  /// Sends the blocks that a peer waits for, as long as the link takes them and they may go.
  func serve(_ number: PeerNumber) {
    guard let exchange, links[number]?.isWaiting == false else { return }
    while let link = links[number], link.stream.isOpen {
      guard link.next != nil || exchange.hasWishes(number) else { return }
      guard link.stream.pendingOctets < around.limits.ahead else { return link.stream.tellWhenDrained() }
      guard link.limits.up.mayPass else {
        links[number]?.isWaiting = true
        let run = run
        return link.limits.up.wait { [weak self] in self?.assumeIsolated { if $0.run == run { $0.goOn(number) } } }
      }
      guard let block = link.next ?? exchange.nextUpload(for: number, at: loop.now) else { return }
      links[number]?.next = nil
      let key = ChunkCache.Key(torrent: infoHash, piece: block.piece, number: block.offset / ChunkCache.chunk)
      let start = block.offset - key.number * ChunkCache.chunk
      guard let chunk = chunk(key, with: block), start + block.length <= chunk.count else {
        return readAhead(block, key, for: number)
      }
      send(block, chunk[start..<start + block.length], through: link)
    }
  }

  private func goOn(_ number: PeerNumber) {
    links[number]?.isWaiting = false
    serve(number)
  }

  private func send(_ block: Block, _ octets: ArraySlice<UInt8>, through link: Link) {
    // Not copied either: a buffer for so few octets between two blocks would be one of the loop's few.
    link.stream.write(shared: PeerMessage.pieceHead(block)[...])
    link.stream.write(shared: octets)
    link.limits.up.take(PeerMessage.pieceHeadSize + block.length)
  }

  /// The octets of a chunk, where no disk has to be waited for.
  private func chunk(_ key: ChunkCache.Key, with block: Block) -> [UInt8]? {
    if let cached = around.cache.get(key) { return cached }
    guard let files, let info, let octets = files.readAtOnce(key.piece, octets(of: key, with: block, in: info)) else {
      return nil
    }
    around.cache.set(key, octets)
    return octets
  }

  /// Where a chunk lies in its piece. A block over the border of two chunks, which nobody asks for but who wants trouble, is read with
  /// the first.
  private func octets(of key: ChunkCache.Key, with block: Block, in info: TorrentInfo) -> Range<Int> {
    let start = key.number * ChunkCache.chunk
    return start..<max(min(start + ChunkCache.chunk, info.length(of: key.piece)), block.offset + block.length)
  }

  /// Reads what the peer waits for, and what it will ask for next; meanwhile it waits.
  private func readAhead(_ block: Block, _ key: ChunkCache.Key, for number: PeerNumber) {
    guard let files, let info else { return }
    links[number]?.next = block
    links[number]?.isWaiting = true
    reading[key, default: []].append(number)
    guard reading[key]?.count == 1 else { return }
    let range = octets(of: key, with: block, in: info)
    let run = run
    work { torrent in
      do {
        let octets = try await torrent.onThread(of: torrent.around.disk) { try files.read(key.piece, range) }
        guard run == torrent.run else { return }
        // What is gone from under the torrent can't be given any more.
        guard let octets else { throw FilesAreGone(nil) }
        torrent.read(key, octets)
      } catch {
        torrent.fail(error, run, looksAgain: error is FilesAreGone)
      }
    }
  }

  private func read(_ key: ChunkCache.Key, _ octets: [UInt8]) {
    around.cache.set(key, octets)
    for number in reading.removeValue(forKey: key) ?? [] { goOn(number) }
    act()
  }
}
