import EventLoop
import Logging
import MailWire
import Octets
import ServiceKit

/// What every SMTP session of a door shares.
struct SMTPService: LineService {
  var store: Store
  /// The port takes letters only from those with a password.
  var isSubmission: Bool
  /// Take passwords also where someone may listen.
  var forcesPasswords = false
  var idleLimit: Duration { store.settings.limits.smtpSilence }
  var letterLimit: Duration { store.settings.limits.letterTime }
  var sessions: SessionRegistry
  var room = LetterRoom(limit: MailLimits().arriving)
  var desk: LoginDesk
  var counters = MailCounters()
  var log: Logger

  func session(with peer: Peer) -> SMTPSession {
    let settings = store.settings
    return SMTPSession(
      hostname: settings.hostname,
      door: SMTPDoor(
        submission: isSubmission, passwordsAllowed: forcesPasswords || peer.isPrivate,
        catchesAll: settings.catchMode != nil), limits: settings.limits.smtp)
  }

  func answer(_ request: SMTPRequest, of peer: Peer) -> LineAnswer<SMTPSession> {
    switch request {
    case .verify(let address, let trusted):
      let verdict = store.verdict(on: address, trusted: trusted)
      if verdict != .accepted { counters.refused.add() }
      return .now { $0.recipient(verdict) }
    case .authenticate(let user, let password):
      return .later {
        let login = SMTPLogin(await desk.logIn(user, password, from: peer.address))
        return { $0.authenticated(login) }
      }
    case .store(let letter):
      return .later {
        let verdict = await take(letter, from: peer.address)
        return { $0.stored(verdict) }
      }
    }
  }

  /// Puts this host's mark on a letter and stores it.
  private func take(_ letter: SMTPLetter, from peer: IPAddress) async -> StorageVerdict {
    let headers = TraceHeaders(
      hostname: store.settings.hostname, client: letter.client, peer: peer, transport: letter.transport,
      now: store.now(), random: store.settings.chance.next(), isTracing: store.settings.isTracing)
    let envelope = letter.envelope
    do {
      let stamp = { @Sendable in headers.stamp(letter.content, envelope, complete: letter.isAuthors) }
      // A large letter may be all header, which the loop's other connections would wait for.
      let isLarge = letter.content.count > BodyFiles.rowLimit
      guard let stamped = isLarge ? try await store.pool.run(stamp) : stamp() else { return .loop }
      let accepted = try await store.accept(
        Letter(
          sender: envelope.sender?.description ?? "", recipients: envelope.recipients.map(\.description),
          content: stamped, eightBit: envelope.eightBit, utf8: envelope.utf8), vanished: .reported)
      counters.accepted.add()
      return .accepted(note: accepted.queued.map { "queued as \($0)" } ?? "")
    } catch StoreError.unknownRecipient {
      return .nobodyLeft
    } catch StoreError.mailboxFull {
      return .mailboxFull
    } catch StoreError.queueFull {
      log.error("as many letters wait as may: one was put off")
      return .queueFull
    } catch StoreError.full {
      log.error("the disk is full: a letter was put off")
      return .full
    } catch {
      log.error("a letter could not be stored", metadata: ["reason": "\(error)"])
      return .failed
    }
  }
}

extension SMTPLogin {
  init(_ login: Login) {
    self =
      switch login {
      case .mailbox(let mailbox): .accepted(owner: MailAddress(mailbox.address))
      case .anyone: .accepted(owner: nil)
      case .denied: .denied
      case .tooMany: .tooMany
      case .failed: .failed
      }
  }
}
