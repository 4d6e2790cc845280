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
  /// RFC 1939 §3 wants ten minutes at least.
  var idleLimit = Duration.seconds(600)
  /// No letter comes in here.
  let letterLimit = Duration.zero
  var sessions: SessionRegistry
  var room = LetterRoom()
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
      case .fetch(let mailbox, let message):
        let content = await letter(message, of: mailbox)
        return { $0.letter(content) }
      case .delete(let mailbox, let messages):
        let isDone = await delete(messages, of: mailbox)
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
      let messages = try await store.inbox(mailbox)
      // A number is used again after an older backup is restored, a number and its time are not.
      let listed = messages.map { POP3Message(id: $0.id, size: $0.size, uid: "\($0.id).\($0.receivedAt)") }
      return .opened(POP3Maildrop(mailbox: mailbox, messages: listed, lease: lease))
    } catch {
      log.error("a mailbox could not be read", metadata: ["reason": "\(error)"])
      return .failed
    }
  }

  /// Nil where it is gone or can't be read.
  private func letter(_ message: Int64, of mailbox: Int64) async -> [UInt8]? {
    do {
      return try await store.raw(mailbox, message)
    } catch {
      log.error("a message could not be read", metadata: ["message": "\(message)", "reason": "\(error)"])
      return nil
    }
  }

  private func delete(_ messages: [Int64], of mailbox: Int64) async -> Bool {
    do {
      try await store.delete(mailbox, all: messages, in: "INBOX")
      return true
    } catch {
      log.error("messages could not be deleted", metadata: ["reason": "\(error)"])
      return false
    }
  }
}
