import EventLoop
import Logging
import MailWire
import Octets

/// What every POP3 session shares.
struct POP3Service: Sendable {
  var store: Store
  var locks: MailboxLocks
  /// Take passwords also where someone may listen.
  var forcesPasswords = false
  /// Silence after which a session ends (RFC 1939 §3 wants ten minutes at least).
  var idleLimit = Duration.seconds(600)
  var sessions: SessionRegistry
  var log: Logger

  /// Opens a session on a connection that was accepted on this loop.
  func open(_ socket: ConnectedSocket, on loop: EventLoop) {
    let connection = POP3Connection(socket, self, on: loop)
    connection.assumeIsolated { $0.begin() }
  }

  /// - Returns: the mailbox that is now locked, and what the session is told.
  func logIn(_ user: String, _ password: String) async -> (mailbox: Int64?, login: POP3Login) {
    let mailbox: Int64
    if store.settings.catchMode != nil {
      mailbox = Store.catchMailbox
    } else {
      guard let found = await store.authenticate(user, password: password) else { return (nil, .denied) }
      mailbox = found.id
    }
    guard locks.lock(mailbox) else { return (nil, .locked) }
    do {
      let messages = try await store.inbox(mailbox)
      return (mailbox, .opened(messages.map { POP3Message(id: $0.id, size: $0.size, uid: String($0.id)) }))
    } catch {
      log.error("a mailbox could not be read", metadata: ["reason": "\(error)"])
      locks.unlock(mailbox)
      return (nil, .failed)
    }
  }
}

/// Which mailboxes a POP3 session holds (RFC 1939 §3: exclusively).
final class MailboxLocks: Sendable {
  private let held = Lock(Set<Int64>())

  /// False: another session has it.
  func lock(_ mailbox: Int64) -> Bool { held.withLock { $0.insert(mailbox).inserted } }
  func unlock(_ mailbox: Int64) { held.withLock { _ = $0.remove(mailbox) } }
}

/// A client's connection: it does what the session decides.
actor POP3Connection: StreamOwner, ClientSession {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
  let stream: TCPStream
  private let service: POP3Service
  private var session = POP3Session()
  private var mailbox: Int64?
  private var lastActivity: Instant
  private var timer: TimerID?
  private var isWaiting = false
  private var isStopping = false
  private var hasPeerFinished = false
  private var isPaused = false
  private var isOver = false

  /// Above this many unread octets the client has to wait.
  private static let inputLimit = 16_384

  init(_ socket: ConnectedSocket, _ service: POP3Service, on loop: EventLoop) {
    self.loop = loop
    self.service = service
    stream = TCPStream(socket, on: loop)
    lastActivity = loop.now
  }

  func begin() {
    do throws(IOError) {
      try startReceiving()
    } catch {
      return finish()
    }
    guard service.sessions.enter(self, from: stream.peer.ip) else {
      stream.write("-ERR [SYS/TEMP] too many connections, try again later\r\n")
      return stream.closeGracefully()
    }
    watch(after: service.idleLimit)
    run()
  }

  func received(_ octets: RawSpan) {
    lastActivity = loop.now
    session.receive(unsafe octets.withUnsafeBytes { unsafe Array($0) })
    run()
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
      case .login(let user, let password): logIn(user, password)
      case .fetch(let id):
        let (service, mailbox) = (service, mailbox ?? 0)
        work {
          let content = try? await service.store.raw(mailbox, id)
          return { $0.letter(content ?? nil) }
        }
      case .delete(let ids):
        let (service, mailbox) = (service, mailbox ?? 0)
        work {
          do {
            try await service.store.delete(mailbox, all: ids, in: "INBOX")
            return { $0.deleted(true) }
          } catch {
            service.log.error("messages could not be deleted", metadata: ["reason": "\(error)"])
            return { $0.deleted(false) }
          }
        }
      case .close: return stream.closeGracefully()
      }
    }
    if !isWaiting && (isStopping || hasPeerFinished) && !stream.isCongested {
      session.end()
      return stream.closeGracefully()
    }
    let isFull = stream.isCongested || session.buffered > Self.inputLimit
    if isFull != isPaused {
      isPaused = isFull
      if isFull { stream.pauseReading() } else { stream.resumeReading() }
    }
  }

  private func logIn(_ user: String, _ password: String) {
    guard service.forcesPasswords || stream.local.ip.isLoopback || service.store.settings.catchMode != nil else {
      return session.loggedIn(.exposed)
    }
    isWaiting = true
    loop.spawn {
      let (mailbox, login) = await self.service.logIn(user, password)
      await self.loggedIn(mailbox, login)
    }
  }

  private func loggedIn(_ opened: Int64?, _ login: POP3Login) {
    isWaiting = false
    if isOver {
      // The client left meanwhile.
      if let opened { service.locks.unlock(opened) }
      return
    }
    mailbox = opened
    lastActivity = loop.now
    session.loggedIn(login)
    run()
  }

  /// Finds the session's answer without blocking, then goes on.
  private func work(_ find: @escaping @Sendable () async -> @Sendable (inout POP3Session) -> Void) {
    isWaiting = true
    loop.spawn {
      let give = await find()
      await self.take(give)
    }
  }

  private func take(_ give: @Sendable (inout POP3Session) -> Void) {
    isWaiting = false
    lastActivity = loop.now
    give(&session)
    run()
  }

  private func watch(after delay: Duration) {
    timer = loop.after(delay) { [weak self] in self?.assumeIsolated { $0.checkSilence() } }
  }

  private func checkSilence() {
    timer = nil
    guard !isOver else { return }
    let quiet = loop.now.since(lastActivity)
    if isWaiting || quiet < service.idleLimit {
      return watch(after: isWaiting ? service.idleLimit : service.idleLimit - quiet)
    }
    session.end()
    run()
  }

  private func finish() {
    guard !isOver else { return }
    isOver = true
    if let timer { loop.cancel(timer) }
    timer = nil
    if let mailbox { service.locks.unlock(mailbox) }
    service.sessions.leave(self, from: stream.peer.ip)
    stream.close()
  }
}
