import Logging
import Octets
import ServiceKit

/// What came of a user name and a password.
enum Login: Sendable {
  case mailbox(MailboxRecord)
  /// Catch mode: everyone's password is right.
  case anyone
  case denied
  /// Too many from there were wrong: this one was not looked at.
  case tooMany
  /// The store could not tell.
  case failed
}

/// Checks passwords for every protocol alike.
struct LoginDesk: Sendable {
  var store: Store
  var gate = LoginGate()
  var counters = MailCounters()
  var log: Logger

  /// Takes as long for a name that does not exist as for a wrong password.
  func logIn(_ user: String, _ password: String, from address: IPAddress) async -> Login {
    if store.settings.catchMode != nil { return .anyone }
    return await openMailbox(user, password, from: address)
  }

  /// The same where only the owner of a mailbox will do, in catch mode too.
  func openMailbox(_ user: String, _ password: String, from address: IPAddress) async -> Login {
    guard await gate.enter(address) else { return .tooMany }
    var isWrong = false
    defer { gate.leave(address, failed: isWrong) }
    do {
      if let mailbox = try await store.authenticate(user, password: password) { return .mailbox(mailbox) }
    } catch {
      log.error("a password could not be checked", metadata: ["reason": "\(error)"])
      return .failed
    }
    isWrong = true
    counters.wrongPasswords.add()
    log.info("a login failed", metadata: ["user": "\(user.prefix(100))", "peer": "\(address)"])
    return .denied
  }
}
