import EventLoop
import Octets
import TorrentWire

/// A connection with another peer: octets come in and messages go to the torrent; what goes out the torrent writes to the stream.
actor PeerLink: StreamOwner {
  private enum Stage {
    /// Octets of the handshake that have come; whether ours was sent, and to which torrent it belongs.
    case greeting([UInt8], Torrent?)
    case talking(Torrent, PeerNumber)
    case over
  }

  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
  let stream: TCPStream
  /// Where it was called; nil where it has called.
  let called: SocketAddress?
  private let door: Door
  private var stage: Stage
  private var decoder = PeerMessageDecoder(pieceCount: nil)
  private var greetingTimer: TimerID?

  /// - Parameters:
  ///   - torrent: for whose sake it was called; nil where the other side says.
  init(_ socket: ConnectedSocket, called: SocketAddress?, for torrent: Torrent?, door: Door, on loop: EventLoop) {
    self.loop = loop
    self.called = called
    self.door = door
    stream = TCPStream(socket, on: loop)
    stage = .greeting([], torrent)
  }

  nonisolated var address: SocketAddress { stream.peer }

  func start() throws(IOError) {
    try startReceiving()
    greetingTimer = loop.after(door.limits.greetingTime) { [weak self] in
      self?.assumeIsolated { if case .greeting = $0.stage { $0.end("no handshake came") } }
    }
    if case .greeting(_, let torrent?) = stage { stream.write(torrent.handshake.encoded) }
  }

  /// How many pieces there are is known from now on.
  func knows(pieceCount: Int?) { decoder.pieceCount = pieceCount }

  /// Ends it from our side.
  func close() {
    stage = .over
    if let greetingTimer { loop.cancel(greetingTimer) }
    // What was said last may still be read; `ended` comes then.
    stream.closeGracefully()
  }

  /// Ends it at once: what was not read will not be.
  func abort() {
    stage = .over
    if let greetingTimer { loop.cancel(greetingTimer) }
    stream.abort()
    door.left(self)
  }

  // MARK: StreamOwner

  func received(_ octets: RawSpan) {
    switch stage {
    case .greeting(var begun, let torrent):
      unsafe octets.withUnsafeBytes { unsafe begun.append(contentsOf: $0) }
      greet(begun, torrent)
    case .talking(let torrent, let number):
      deliver(octets, to: torrent, number)
    case .over: break
    }
  }

  func peerFinished() { end("the peer closed it") }
  func ended(_ error: IOError?) { end(error.map { "\($0)" } ?? "the peer closed it") }

  func drained() {
    guard case .talking(let torrent, let number) = stage else { return }
    torrent.assumeIsolated { $0.drained(number) }
  }

  // MARK: Greeting (BEP 3)

  /// Who was called waits for the torrent's name before it says anything, and who has called for the other's answer.
  private func greet(_ begun: [UInt8], _ known: Torrent?) {
    var torrent = known
    switch Handshake.read(begun) {
    case .foreign: return end("it speaks something else")
    case .more(let infoHash):
      if torrent == nil, let infoHash {
        guard let meant = answer(infoHash) else { return }
        torrent = meant
      }
      stage = .greeting(begun, torrent)
    case .whole(let handshake):
      if torrent == nil {
        guard let meant = answer(handshake.infoHash) else { return }
        torrent = meant
      }
      guard let torrent, torrent.infoHash == handshake.infoHash else { return end("it speaks of another torrent") }
      if let greetingTimer { loop.cancel(greetingTimer) }
      let rest = begun.dropFirst(Handshake.size)
      guard let number = torrent.assumeIsolated({ $0.join(self, handshake) }) else { return end("it is not wanted") }
      stage = .talking(torrent, number)
      door.knows(self)
      unsafe deliver(rest.span.bytes, to: torrent, number)
    }
  }

  private func answer(_ infoHash: InfoHash) -> Torrent? {
    guard let torrent = door.torrents?.assumeIsolated({ $0[infoHash] }), torrent.assumeIsolated({ $0.takesPeers })
    else {
      end("the torrent is not here")
      return nil
    }
    stream.write(torrent.handshake.encoded)
    return torrent
  }

  // MARK: Talking

  private func deliver(_ octets: RawSpan, to torrent: Torrent, _ number: PeerNumber) {
    let count = octets.byteCount
    var fault: PeerFault?
    var messages: [PeerMessage] = []
    do throws(PeerFault) {
      try decoder.feed(octets) { messages.append($0) }
    } catch {
      fault = error
    }
    torrent.assumeIsolated { [messages, fault] torrent in
      torrent.received(messages, from: number, octets: count)
      if let fault { torrent.broke(number, fault) }
    }
  }

  private func end(_ reason: String) {
    let stage = stage
    self.stage = .over
    if let greetingTimer { loop.cancel(greetingTimer) }
    stream.close()
    door.left(self)
    switch stage {
    case .talking(let torrent, let number): torrent.assumeIsolated { $0.lost(number, reason) }
    case .greeting(_, let torrent?): if let called { torrent.assumeIsolated { $0.gotNowhere(called) } }
    case .greeting, .over: break
    }
  }
}
