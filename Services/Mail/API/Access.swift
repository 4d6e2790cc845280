import EventLoop
import HTTPServer
import HTTPWire
import MailWire
import Octets
import ServiceKit

/// Who asks: the administrator by bearer token, the owner of a mailbox by its address and password.
struct MailAccess: Sendable {
  let store: Store
  let desk: LoginDesk
  /// Throws where a request does not carry the administrator's token.
  let admin: @Sendable (Request) throws -> Void

  enum Caller {
    case admin
    case owner(MailboxRecord)
  }

  /// - Throws: 401 for credentials that are missing or wrong, 429 where too many were.
  func caller(_ request: Request) async throws -> Caller {
    guard let (user, password) = MailAccess.basic(request) else {
      try admin(request)
      return .admin
    }
    switch await desk.openMailbox(user, password, from: request.peer.ip) {
    case .mailbox(let mailbox): return .owner(mailbox)
    case .denied, .anyone: throw Unauthorized("The address or the password is wrong.")
    case .tooMany:
      let pause = Int(desk.gate.pause.components.seconds)
      throw Problem(
        429, "Too many wrong passwords came from your address; try again in \(pause) seconds.", retryAfter: pause)
    case .failed: throw Problem(503, "The password can't be checked now.", retryAfter: 1)
    }
  }

  /// The mailbox of the path, for its owner or the administrator.
  ///
  /// - Throws: 401 and 429, 403 for another's mailbox, 404 where there is none.
  func mailbox(_ request: Request) async throws -> MailboxRecord {
    let address = request.parameter("address")
    switch try await caller(request) {
    case .owner(let mailbox):
      guard store.complete(address)?.folded == MailAddress(mailbox.address)?.folded else {
        throw Problem(403, "\(mailbox.address) may only see its own mailbox.")
      }
      return mailbox
    case .admin:
      guard let mailbox = try await store.mailbox(address) else { throw Problem.notFound("mailbox \(address)") }
      return mailbox
    }
  }

  /// Catch mode is open to the administrator, and to anybody with any name and password, as its SMTP side is.
  ///
  /// - Throws: 404 where this host is not in catch mode, 401 without credentials.
  func caught(_ request: Request) throws {
    guard store.settings.catchMode != nil else {
      throw Problem(404, "This host is not in catch mode; start one with --catch.")
    }
    guard MailAccess.basic(request) == nil else { return }
    do {
      try admin(request)
    } catch is Unauthorized {
      throw Unauthorized("This needs the admin token, or any name with any password: curl -u any:any …")
    }
  }

  /// The credentials of RFC 7617; nil where there are none of that kind.
  static func basic(_ request: Request) -> (user: String, password: String)? {
    guard case .basic(let user, let password) = Access.credentials(request) else { return nil }
    return (user, String(decoding: password, as: UTF8.self))
  }
}
