import EventLoop
import Octets
import ServiceKit

/// A client's connection: it does what its session decides, keeps time, and holds the client to what it can take.
actor LineConnection<Service: LineService>: StreamOwner, ClientSession {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
  let stream: TCPStream
  private let service: Service
  private let peer: Peer
  private var session: Service.Session
  private var timer: TimerID?
  /// When the client last said a whole line, took some of what it was told, or was given an answer.
  private var lastActivity: Instant
  /// When the letter that is coming in began.
  private var letterBegan: Instant?
  /// Octets since the last line's end.
  private var unfinished = 0
  /// What the stream still had to send when the clock last looked.
  private var unsent = 0
  /// Its part of the common room.
  private let room: RoomLease
  /// An answer to the session's request is due.
  private var isWaiting = false
  private var isFlushing = false
  /// Why the session shall end as soon as it owes nothing.
  private var ending: LineEnding?
  private var hasPeerFinished = false
  private var isPaused = false
  private var isOver = false

  /// Above this many unread octets the client has to wait.
  private static var inputLimit: Int { 65_536 }
  /// So many octets without a line's end count as a line: a letter may have long ones.
  private static var lineWorth: Int { 16_384 }

  init(_ socket: ConnectedSocket, _ service: Service, on loop: EventLoop) {
    self.loop = loop
    self.service = service
    stream = TCPStream(socket, on: loop)
    peer = Peer(address: stream.peer.ip, isPrivate: stream.local.ip.isLoopback)
    session = service.session(with: peer)
    room = service.room.lease()
    lastActivity = loop.now
  }

  func begin() {
    do throws(IOError) {
      try startReceiving()
    } catch {
      return finish()
    }
    if !service.sessions.enter(self, from: peer.address, at: stream.local.port) {
      service.counters.turnedAway.add()
      session.end(.crowded)
    }
    watch(after: service.idleLimit)
    run()
  }

  func received(_ octets: RawSpan) {
    let bytes = unsafe octets.withUnsafeBytes { unsafe Array($0) }
    noteActivity(bytes)
    session.receive(bytes)
    run()
  }

  func peerFinished() {
    hasPeerFinished = true
    run()
  }

  func drained() {
    isFlushing = false
    run()
  }

  func ended(_ error: IOError?) { finish() }

  func shutDown(_ reason: LineEnding) {
    ending = ending ?? reason
    run()
  }

  // MARK: Doing what the session decides

  private func run() {
    guard !isOver else { return }
    work()
    if ending != nil || hasPeerFinished, !isWaiting, !isFlushing, !stream.isCongested {
      session.end(ending ?? .hangUp)
      work()
    }
    letterBegan = session.isReceiving ? letterBegan ?? loop.now : nil
    account()
    pace()
  }

  private func work() {
    while stream.isOpen, !isFlushing, !stream.isCongested, let action = session.next() {
      switch action {
      case .reply(let octets): stream.write(octets)
      case .flush:
        isFlushing = stream.pendingOctets > 0
        if isFlushing { stream.tellWhenDrained() }
      case .ask(let request):
        switch service.answer(request, of: peer) {
        case .now(let give): give(&session)
        case .later(let find):
          isWaiting = true
          loop.spawn {
            let give = await find()
            await self.take(give)
          }
        }
      case .close: stream.closeGracefully()
      }
    }
  }

  private func take(_ give: LineAnswer<Service.Session>.Give) {
    isWaiting = false
    lastActivity = loop.now
    give(&session)
    if isOver { release() } else { run() }
  }

  /// Stops reading from a client that sends faster than it is answered.
  private func pace() {
    guard stream.isOpen else { return }
    let isFull = stream.isCongested || session.buffered > Self.inputLimit
    if isFull != isPaused {
      isPaused = isFull
      if isFull { stream.pauseReading() } else { stream.resumeReading() }
    }
  }

  /// Takes room for what the session holds, or has it hold nothing.
  private func account() {
    guard !room.hold(session.held) else { return }
    session.giveUpLetter()
    _ = room.hold(session.held)
  }

  // MARK: Time

  /// Who sends octets that never make a line is as silent as who sends none.
  private func noteActivity(_ octets: [UInt8]) {
    unfinished += octets.count
    guard unfinished >= Self.lineWorth || octets.contains(0x0A) else { return }
    unfinished = 0
    lastActivity = loop.now
  }

  /// One timer a session, which looks how long it was quiet instead of being set anew by every octet.
  private func watch(after delay: Duration) {
    timer = loop.after(delay) { [weak self] in self?.assumeIsolated { $0.checkSilence() } }
  }

  private func checkSilence() {
    timer = nil
    guard !isOver else { return }
    // A client that reads a large letter slowly is not silent.
    if stream.pendingOctets != unsent {
      unsent = stream.pendingOctets
      lastActivity = loop.now
    }
    if let letterBegan, loop.now.since(letterBegan) >= service.letterLimit {
      session.end(.slowness)
      return run()
    }
    let quiet = loop.now.since(lastActivity)
    if isWaiting || quiet < service.idleLimit {
      return watch(after: isWaiting ? service.idleLimit : service.idleLimit - quiet)
    }
    // Who takes nothing of what it is told would not hear a goodbye either.
    guard stream.pendingOctets == 0 else { return finish() }
    session.end(.silence)
    run()
  }

  // MARK: The end

  private func finish() {
    guard !isOver else { return }
    isOver = true
    if let timer { loop.cancel(timer) }
    timer = nil
    service.sessions.leave(self)
    stream.close()
    // A letter that is being stored, or a mailbox that is being changed, is let go of when that is done.
    if !isWaiting { release() }
  }

  private func release() {
    service.counters.mistakes.add(UInt64(session.mistakes))
    session.end(.hangUp)
    _ = room.hold(0)
  }
}
