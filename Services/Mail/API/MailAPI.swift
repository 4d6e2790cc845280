import EventLoop
import HTTPServer
import HTTPWire
import ServiceKit

/// The REST side of the mail host (openapi/mail.yaml): every route stands here, its handler in the file of its resource.
struct MailAPI: Sendable {
  let store: Store
  let access: MailAccess
  let hub: EventHub<Change>
  /// What letters may take of memory while they are sent or read here.
  let room: LetterRoom
  /// Where large letters are worked on, one at a time, so that what is made of them on the way has a bound too.
  private let bench = BlockingPool(threads: 1)
  let waiters: Waiters

  /// - Parameter requireAdmin: throws where a request does not carry the administrator's token.
  init(store: Store, desk: LoginDesk, requireAdmin: @escaping @Sendable (Request) throws -> Void) {
    self.store = store
    room = LetterRoom(limit: store.settings.limits.handling)
    waiters = Waiters(limit: store.settings.limits.waiting)
    access = MailAccess(store: store, desk: desk, admin: requireAdmin)
    hub = EventHub(feed: store.feed, limits: store.settings.limits)
  }

  /// Does, off the loop, what takes as long as a letter of so many octets is large.
  func work<Value: Sendable>(on octets: Int, _ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await (octets > LetterRoom.small ? bench : store.pool).run(body)
  }

  func register(on router: Router) {
    /// A route and the query parameters that it knows.
    func on(
      _ method: HTTPWire.Method, _ pattern: String, _ handler: @escaping Router.AsyncHandler,
      query names: [String] = []
    ) {
      router.on(method, pattern) { request async throws in
        try request.requireQuery(of: names)
        return try await handler(request)
      }
    }
    let pages = ["limit", "cursor"]
    on(.get, "/v1/domains", listDomains, query: pages)
    on(.post, "/v1/domains", addDomain)
    on(.get, "/v1/domains/{domain}", getDomain)
    on(.delete, "/v1/domains/{domain}", removeDomain)

    on(.get, "/v1/mailboxes", listMailboxes, query: pages + ["domain"])
    on(.post, "/v1/mailboxes", createMailbox)
    on(.get, "/v1/mailboxes/{address}", getMailbox)
    on(.patch, "/v1/mailboxes/{address}", updateMailbox)
    on(.delete, "/v1/mailboxes/{address}", deleteMailbox)

    on(.get, "/v1/mailboxes/{address}/folders", listFolders)
    on(.post, "/v1/mailboxes/{address}/folders", createFolder)
    on(.get, "/v1/mailboxes/{address}/folders/{folder}", getFolder)
    on(.patch, "/v1/mailboxes/{address}/folders/{folder}", renameFolder)
    on(.delete, "/v1/mailboxes/{address}/folders/{folder}", deleteFolder)

    on(.get, "/v1/mailboxes/{address}/messages", listMessages, query: pages + ["folder", "q"])
    on(.post, "/v1/mailboxes/{address}/messages", sendMessage)
    on(.get, "/v1/mailboxes/{address}/messages/{id}", getMessage)
    on(.put, "/v1/mailboxes/{address}/messages/{id}", replaceDraft)
    on(.patch, "/v1/mailboxes/{address}/messages/{id}", updateMessage)
    on(.delete, "/v1/mailboxes/{address}/messages/{id}", deleteMessage)
    on(.post, "/v1/mailboxes/{address}/messages/{id}/send", sendDraft)
    on(.get, "/v1/mailboxes/{address}/messages/{id}/raw", getRawMessage)
    on(.get, "/v1/mailboxes/{address}/messages/{id}/attachments/{number}", getAttachment)

    on(.get, "/v1/queue", listQueue, query: pages + ["state"])
    on(.get, "/v1/queue/{id}", getLetter)
    on(.delete, "/v1/queue/{id}", deleteLetter)
    on(.get, "/v1/queue/{id}/raw", getRawLetter)
    on(.post, "/v1/queue/{id}/retry", retryLetter)

    on(.get, "/v1/messages", listCaught, query: pages + ["to", "from", "subject", "q", "after", "wait"])
    on(.delete, "/v1/messages", deleteAllCaught)
    on(.get, "/v1/messages/{id}", getCaught)
    on(.delete, "/v1/messages/{id}", deleteCaught)
    on(.get, "/v1/messages/{id}/raw", getRawCaught)
    on(.get, "/v1/messages/{id}/attachments/{number}", getCaughtAttachment)

    on(.get, "/v1/events", listenToEvents)
  }
}
