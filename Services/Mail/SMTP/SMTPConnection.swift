import EventLoop
import Logging
import MailWire
import Octets
import ServiceKit

/// What every SMTP session of a door shares.
struct SMTPService: Sendable {
  var store: Store
  /// The port takes letters only from those with a password.
  var isSubmission: Bool
  /// Take passwords also where someone may listen.
  var forcesPasswords = false
  var limits = SMTPLimits()
  /// Silence after which a session ends (RFC 5321 §4.5.3.2.7 wants five minutes at least).
  var idleLimit = Duration.seconds(300)
  var sessions: SessionRegistry
  /// What all sessions together hold of letters that are not stored yet.
  var room = LetterRoom()
  var counters = MailCounters()
  var log: Logger

  /// Opens a session on a connection that was accepted on this loop.
  func open(_ socket: ConnectedSocket, on loop: EventLoop) {
    let connection = SMTPConnection(socket, self, on: loop)
    connection.assumeIsolated { $0.begin() }
  }

  /// Puts this host's mark on a letter and stores it.
  func take(
    _ envelope: SMTPEnvelope, _ content: [UInt8], from client: String, at peer: IPAddress, by transport: String,
    isAuthor: Bool
  ) async -> StorageVerdict {
    var random = SystemRandomNumberGenerator()
    let headers = TraceHeaders(
      hostname: store.settings.hostname, client: client, peer: peer, transport: transport, now: store.now(),
      random: random.next())
    guard let stamped = headers.stamp(content, envelope, complete: isAuthor) else { return .loop }
    let letter = Letter(
      sender: envelope.sender?.description ?? "", recipients: envelope.recipients.map(\.description), content: stamped,
      eightBit: envelope.eightBit, utf8: envelope.utf8)
    do {
      let accepted = try await store.accept(letter)
      counters.accepted.add()
      return .accepted(note: accepted.queued.map { "queued as \($0)" } ?? "")
    } catch StoreError.full {
      log.error("the disk is full: a letter was put off")
      return .full
    } catch {
      log.error("a letter could not be stored", metadata: ["reason": "\(error)"])
      return .failed
    }
  }
}

/// A client's connection: it does what the session decides.
actor SMTPConnection: StreamOwner, ClientSession {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
  let stream: TCPStream
  private let service: SMTPService
  private var session: SMTPSession
  private var lastActivity: Instant
  private var timer: TimerID?
  private var isStopping = false
  private var hasPeerFinished = false
  private var isPaused = false
  private var isOver = false
  /// Octets taken of the common room.
  private var reserved = 0

  /// Above this many unread octets the client has to wait.
  private static let inputLimit = 262_144

  init(_ socket: ConnectedSocket, _ service: SMTPService, on loop: EventLoop) {
    self.loop = loop
    self.service = service
    let stream = TCPStream(socket, on: loop)
    let settings = service.store.settings
    var limits = service.limits
    limits.size = settings.sizeLimit
    session = SMTPSession(
      hostname: settings.hostname,
      door: SMTPDoor(
        submission: service.isSubmission, passwordsAllowed: service.forcesPasswords || stream.local.ip.isLoopback,
        catchesAll: settings.catchMode != nil), limits: limits)
    self.stream = stream
    lastActivity = loop.now
  }

  func begin() {
    do throws(IOError) {
      try startReceiving()
    } catch {
      return finish()
    }
    guard service.sessions.enter(self, from: stream.peer.ip) else {
      stream.write("421 4.3.2 too many connections, try again later\r\n")
      return stream.closeGracefully()
    }
    watch(after: service.idleLimit)
    run()
  }

  func received(_ octets: RawSpan) {
    lastActivity = loop.now
    session.receive(unsafe octets.withUnsafeBytes { unsafe Array($0) })
    run()
    let held = session.held
    if held != reserved, !service.room.change(by: held - reserved) {
      session.giveUpLetter()
      _ = service.room.change(by: -reserved)
      reserved = 0
    } else {
      reserved = held
    }
  }

  func peerFinished() {
    hasPeerFinished = true
    run()
  }

  func drained() { run() }

  func ended(_ error: IOError?) { finish() }

  func shutDown() {
    isStopping = true
    run()
  }

  private func run() {
    guard !isOver else { return }
    while !stream.isCongested, let action = session.next() {
      switch action {
      case .reply(let octets): stream.write(octets)
      case .verify(let address):
        let verdict = service.store.verdict(on: address, trusted: session.user != nil)
        if verdict != .accepted { service.counters.refused.add() }
        session.recipient(verdict)
      case .authenticate(let user, let password):
        answer { service in
          let right = service.store.settings.catchMode != nil
          if right { return { $0.authenticated(true) } }
          let found = await service.store.authenticate(user, password: password) != nil
          return { $0.authenticated(found) }
        }
      case .store(let envelope, let content):
        let (client, peer, transport) = (session.client ?? "unknown", stream.peer.ip, session.transport)
        let isAuthor = session.user != nil
        answer { service in
          let verdict = await service.take(
            envelope, content, from: client, at: peer, by: transport, isAuthor: isAuthor)
          return { $0.stored(verdict) }
        }
      case .close: return stream.closeGracefully()
      }
    }
    if !session.isWaiting && (isStopping || hasPeerFinished) && !stream.isCongested {
      if isStopping { session.end("4.3.2", "is shutting down") }
      while case .reply(let octets)? = session.next() { stream.write(octets) }
      return stream.closeGracefully()
    }
    pace()
  }

  /// Finds the session's answer without blocking, then goes on.
  private func answer(_ find: @escaping @Sendable (SMTPService) async -> @Sendable (inout SMTPSession) -> Void) {
    let service = service
    loop.spawn {
      let give = await find(service)
      await self.take(give)
    }
  }

  private func take(_ give: @Sendable (inout SMTPSession) -> Void) {
    lastActivity = loop.now
    give(&session)
    run()
  }

  /// Stops reading from a client that sends faster than it is answered.
  private func pace() {
    let isFull = stream.isCongested || session.buffered > Self.inputLimit
    if isFull != isPaused {
      isPaused = isFull
      if isFull { stream.pauseReading() } else { stream.resumeReading() }
    }
  }

  /// One timer a session, which looks how long it was quiet instead of being set anew by every octet.
  private func watch(after delay: Duration) {
    timer = loop.after(delay) { [weak self] in self?.assumeIsolated { $0.checkSilence() } }
  }

  private func checkSilence() {
    timer = nil
    guard !isOver else { return }
    let quiet = loop.now.since(lastActivity)
    if session.isWaiting || quiet < service.idleLimit {
      return watch(after: session.isWaiting ? service.idleLimit : service.idleLimit - quiet)
    }
    session.end("4.4.2", "nothing came for too long, closing connection")
    run()
  }

  private func finish() {
    guard !isOver else { return }
    isOver = true
    if let timer { loop.cancel(timer) }
    timer = nil
    _ = service.room.change(by: -reserved)
    reserved = 0
    service.sessions.leave(self, from: stream.peer.ip)
    stream.close()
  }
}

extension SMTPSession {
  /// An answer of the loop is due.
  var isWaiting: Bool {
    switch phase {
    case .verifying, .authenticating, .storing: true
    default: false
    }
  }
}
