import EventLoop
import HTTPServer
import HTTPWire
import ServiceKit

/// `/v1/messages`: every letter of a host in catch mode.
extension MailAPI {
  func listCaught(_ request: Request) async throws -> Response {
    try access.caught(request)
    let limit = try request.limit()
    var search = try request.search()
    if let to = try request.text("to", limit: 320) {
      guard to.utf8.contains(0x40) else {
        throw Problem(400, "to is a whole address, or @ and a domain; q=to:… finds parts of one.", field: "to")
      }
      search.recipient = SearchQuery.address(to)
    }
    if let from = try request.text("from", limit: 320) { search.from.append(from) }
    if let subject = try request.text("subject", limit: 998) { search.subject.append(subject) }
    search.afterID = try request.number("after", in: 0...9_007_199_254_740_991).map { Int64($0) }
    let wait = try request.number("wait", in: 0...60) ?? 0
    let cursor = try request.idCursor()
    let look = { @Sendable [store, search] in
      try await store.messages(Store.catchMailbox, folder: nil, search: search, before: cursor, limit: limit + 1)
    }
    var records = try await look()
    if records.isEmpty, wait > 0 { records = try await patiently(request.loop, .seconds(wait), look) }
    return try .encode(Page(records, limit: limit, cursor: { "\($0.id)" }, view: MessageItem.init))
  }

  func deleteAllCaught(_ request: Request) async throws -> Response {
    try access.caught(request)
    try await asking { try await store.clearCatch() }
    return .empty()
  }

  func getCaught(_ request: Request) async throws -> Response {
    try access.caught(request)
    return try await show(request, Store.catchMailbox, below: "/v1")
  }

  func deleteCaught(_ request: Request) async throws -> Response {
    try access.caught(request)
    let id = try request.id()
    try await asking { try await store.delete(Store.catchMailbox, id, demand: request.demand()) }
    return .empty()
  }

  func getRawCaught(_ request: Request) async throws -> Response {
    try access.caught(request)
    return try await raw(request, Store.catchMailbox)
  }

  func getCaughtAttachment(_ request: Request) async throws -> Response {
    try access.caught(request)
    return try await attachment(request, Store.catchMailbox)
  }

  /// Looks again after each letter, until something is found, the time is over or the service stops.
  private func patiently(
    _ loop: EventLoop, _ limit: Duration, _ look: @Sendable () async throws -> [MessageRecord]
  ) async throws -> [MessageRecord] {
    let bell = Bell()
    guard waiters.enter(bell) else { throw Problem(503, "Too many are waiting for letters already.", retryAfter: 1) }
    let subscription = store.feed.subscribe { change in
      if case .delivered = change { bell.ring() }
    }
    defer {
      store.feed.unsubscribe(subscription)
      waiters.leave(bell)
    }
    let end = loop.now + limit
    while true {
      // Listening began before this look, so no letter slips between the two.
      let records = try await look()
      let now = loop.now
      if !records.isEmpty || now >= end || waiters.isClosed { return records }
      await bell.wait(on: loop, for: end.since(now))
    }
  }
}
