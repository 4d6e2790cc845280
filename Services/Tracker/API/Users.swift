import EventLoop
import HTTPServer
import HTTPWire
import Octets
import ServiceKit

/// `/v1/users`
extension TrackerAPI {
  func listUsers(_ request: Request) async throws -> Response {
    let limit = try request.limit()
    let found = try await store.users(after: try request.idCursor() ?? 0, limit: limit + 1)
    return try .encode(Page(found, limit: limit, cursor: { "\($0.id)" }, view: view))
  }

  func addUser(_ request: Request) async throws -> Response {
    let name = try await request.checked(NewUser.self).name
    guard 1...200 ~= name.unicodeScalars.count else {
      throw Problem.invalid(field: "name", "must have 1 to 200 characters")
    }
    let user = try await asking { try await store.addUser(name.composed, at: clock.now.seconds) }
    accounts.add(user: user.id)
    return try .encode(view(user), status: .created).with("location", "/v1/users/\(user.id)")
  }

  func getUser(_ request: Request) async throws -> Response {
    let id = try request.number("user")
    guard let user = try await store.user(id) else { throw Problem.notFound("user \(id)") }
    return try .encode(view(user))
  }

  /// What it has moved is known better here than in the database.
  private func view(_ user: TrackerStore.User) -> UserView {
    var user = user
    user.amounts = accounts.amounts(of: user.id) ?? user.amounts
    return UserView(user)
  }

  func deleteUser(_ request: Request) async throws -> Response {
    let id = try request.number("user")
    try await asking { try await store.removeUser(id) }
    accounts.remove(user: id)
    return .empty()
  }

  // MARK: Keys

  func listKeys(_ request: Request) async throws -> Response {
    let id = try request.number("user")
    guard try await store.user(id) != nil else { throw Problem.notFound("user \(id)") }
    return try .encode(Page(items: try await store.keys(of: id).map { KeyView($0) }))
  }

  /// The one time that the key itself is told.
  func addKey(_ request: Request) async throws -> Response {
    let user = try request.number("user")
    let lifetime = try await request.checked(NewKey.self).expiresIn
    if let lifetime, !(1...315_360_000 ~= lifetime) {
      throw Problem.invalid(field: "expires_in", "must be 1 to 315360000 seconds")
    }
    let time = clock.now.seconds
    let key = try Secrets.token()
    let digest = try Secrets.digest(Array(key.utf8))
    let account = Accounts.Key(user: user, expiresAt: lifetime.map { time + $0 })
    let made = try await asking {
      try await store.addKey(digest, account, limit: settings.limits.keysPerUser, at: time)
    }
    accounts.set(digest, account)
    return try .encode(KeyView(made, key: key), status: .created).with("location", "/v1/users/\(user)/keys/\(made.id)")
  }

  func changeKey(_ request: Request) async throws -> Response {
    let (user, id) = (try request.number("user"), try request.number("key"))
    let isDisabled = try await request.checked(KeyChange.self).disabled
    let key = try await asking { try await store.setKey(id, of: user, isDisabled: isDisabled) }
    accounts.set(key.digest, key.key)
    return try .encode(KeyView(key))
  }

  func deleteKey(_ request: Request) async throws -> Response {
    let (user, id) = (try request.number("user"), try request.number("key"))
    let key = try await asking { try await store.removeKey(id, of: user) }
    accounts.set(key.digest, nil)
    return .empty()
  }
}

private struct NewUser: KnownBody {
  enum CodingKeys: String, CodingKey { case name }

  var name: String
}

private struct NewKey: KnownBody {
  enum CodingKeys: String, CodingKey { case expiresIn = "expires_in" }

  var expiresIn: Int64?
}

private struct KeyChange: KnownBody {
  enum CodingKeys: String, CodingKey { case disabled }

  var disabled: Bool
}

private struct UserView: Encodable {
  var id: Int64
  var name: String
  var createdAt: WorldTime
  var uploaded: UInt64
  var downloaded: UInt64
  /// Left out where nothing was downloaded.
  var ratio: Double?

  init(_ user: TrackerStore.User) {
    id = user.id
    name = user.name
    createdAt = WorldTime(seconds: user.createdAt)
    uploaded = user.amounts.uploaded
    downloaded = user.amounts.downloaded
    ratio = downloaded > 0 ? (Double(uploaded) / Double(downloaded) * 1000).rounded() / 1000 : nil
  }
}

private struct KeyView: Encodable {
  var id: Int64
  var createdAt: WorldTime
  var expiresAt: WorldTime?
  var disabled: Bool
  var key: String?
  /// Behind the address of the announce listener.
  var announcePath: String?

  init(_ made: TrackerStore.Key, key: String? = nil) {
    id = made.id
    createdAt = WorldTime(seconds: made.createdAt)
    expiresAt = made.key.expiresAt.map { WorldTime(seconds: $0) }
    disabled = made.key.isDisabled
    self.key = key
    announcePath = key.map { "/announce/\($0)" }
  }
}
