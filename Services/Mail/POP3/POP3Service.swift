import EventLoop
import Logging
import Octets
import ServiceKit

/// What every POP3 session shares.
struct POP3Service: LineService {
  var store: Store
  var locks: MailboxLocks
  /// Take passwords also where someone may listen.
  var forcesPasswords = false
  var idleLimit: Duration { store.settings.limits.pop3Silence }
  /// No letter comes in here.
  let letterLimit = Duration.zero
  var sessions: SessionRegistry
  var room = LetterRoom(limit: MailLimits().arriving)
  var desk: LoginDesk
  var counters = MailCounters()
  var log: Logger

  func session(with peer: Peer) -> POP3Session {
    POP3Session(passwordsAllowed: forcesPasswords || peer.isPrivate || store.settings.catchMode != nil)
  }

  func answer(_ request: POP3Request, of peer: Peer) -> LineAnswer<POP3Session> {
    .later {
      switch request {
      case .login(let user, let password):
        let login = await logIn(user, password, from: peer.address)
        return { $0.loggedIn(login) }
      case .open(let message, let mailbox, let epoch):
        let letter = await open(message, of: mailbox, epoch)
        return { $0.opened(letter) }
      case .read(let letter, let offset):
        let piece = await read(letter, from: offset)
        return { $0.piece(piece) }
      case .delete(let messages, let mailbox, let epoch):
        let isDone = await delete(messages, of: mailbox, epoch)
        return { $0.deleted(isDone) }
      }
    }
  }

  private func logIn(_ user: String, _ password: String, from address: IPAddress) async -> POP3Login {
    let mailbox: Int64
    switch await desk.logIn(user, password, from: address) {
    case .mailbox(let found): mailbox = found.id
    case .anyone: mailbox = Store.catchMailbox
    case .denied: return .denied
    case .tooMany: return .tooMany
    case .failed: return .failed
    }
    guard let lease = locks.lease(mailbox) else { return .locked }
    do {
      let (epoch, messages) = try await store.inbox(mailbox)
      // A number is used again after a reset, or when an older backup is restored; with the epoch and its time it is not.
      // A host that was never reset has the epoch 1, which is left out: so its clients know their letters from earlier versions.
      let era = epoch > 1 ? "\(epoch)." : ""
      let listed = messages.map { POP3Message(id: $0.id, size: $0.size, uid: "\(era)\($0.id).\($0.receivedAt)") }
      return .opened(POP3Maildrop(mailbox: mailbox, epoch: epoch, messages: listed, lease: lease))
    } catch {
      log.error("a mailbox could not be read", metadata: ["reason": "\(error)"])
      return .failed
    }
  }

  /// Nil where it is gone or can't be read.
  private func open(_ message: Int64, of mailbox: Int64, _ epoch: Int64) async -> POP3Letter? {
    do {
      return try await store.open(mailbox, message, epoch: epoch).map { found in
        POP3Letter(size: found.letter.size) { try await found.letter.read(from: $0) }
      }
    } catch {
      log.error("a message could not be read", metadata: ["message": "\(message)", "reason": "\(error)"])
      return nil
    }
  }

  /// Nil where it can't be read.
  private func read(_ letter: POP3Letter, from offset: Int) async -> [UInt8]? {
    do {
      return try await letter.read(offset)
    } catch {
      log.error("a message could not be read on", metadata: ["reason": "\(error)"])
      return nil
    }
  }

  private func delete(_ messages: [Int64], of mailbox: Int64, _ epoch: Int64) async -> Bool {
    do {
      try await store.delete(mailbox, all: messages, in: "INBOX", epoch: epoch)
      return true
    } catch StoreError.reset {
      return false
    } catch {
      log.error("messages could not be deleted", metadata: ["reason": "\(error)"])
      return false
    }
  }
}
