import EventLoop
import HTTPServer
import HTTPWire
import ServiceKit

/// The REST side of the mail host (openapi/mail.yaml): every route stands here, its handler in the file of its resource.
struct MailAPI: Sendable {
  let store: Store
  let access: MailAccess
  let hub: EventHub
  let waiting = Lock(0)

  /// - Parameter requireAdmin: throws where a request does not carry the administrator's token.
  init(store: Store, requireAdmin: @escaping @Sendable (Request) throws -> Void) {
    self.store = store
    access = MailAccess(store: store, admin: requireAdmin)
    hub = EventHub(feed: store.feed, start: EventHub.systemMicroseconds())
  }

  var pool: BlockingPool { store.pool }

  func register(on router: Router) {
    router.get("/v1/domains", listDomains)
    router.post("/v1/domains", addDomain)
    router.get("/v1/domains/{domain}", getDomain)
    router.delete("/v1/domains/{domain}", removeDomain)

    router.get("/v1/mailboxes", listMailboxes)
    router.post("/v1/mailboxes", createMailbox)
    router.get("/v1/mailboxes/{address}", getMailbox)
    router.patch("/v1/mailboxes/{address}", updateMailbox)
    router.delete("/v1/mailboxes/{address}", deleteMailbox)

    router.get("/v1/mailboxes/{address}/folders", listFolders)
    router.post("/v1/mailboxes/{address}/folders", createFolder)
    router.get("/v1/mailboxes/{address}/folders/{folder}", getFolder)
    router.patch("/v1/mailboxes/{address}/folders/{folder}", renameFolder)
    router.delete("/v1/mailboxes/{address}/folders/{folder}", deleteFolder)

    router.get("/v1/mailboxes/{address}/messages", listMessages)
    router.post("/v1/mailboxes/{address}/messages", sendMessage)
    router.get("/v1/mailboxes/{address}/messages/{id}", getMessage)
    router.patch("/v1/mailboxes/{address}/messages/{id}", updateMessage)
    router.delete("/v1/mailboxes/{address}/messages/{id}", deleteMessage)
    router.get("/v1/mailboxes/{address}/messages/{id}/raw", getRawMessage)
    router.get("/v1/mailboxes/{address}/messages/{id}/attachments/{number}", getAttachment)

    router.get("/v1/queue", listQueue)
    router.get("/v1/queue/{id}", getLetter)
    router.delete("/v1/queue/{id}", deleteLetter)
    router.get("/v1/queue/{id}/raw", getRawLetter)
    router.post("/v1/queue/{id}/retry", retryLetter)

    router.get("/v1/messages", listCaught)
    router.delete("/v1/messages", deleteAllCaught)
    router.get("/v1/messages/{id}", getCaught)
    router.delete("/v1/messages/{id}", deleteCaught)
    router.get("/v1/messages/{id}/raw", getRawCaught)
    router.get("/v1/messages/{id}/attachments/{number}", getCaughtAttachment)

    router.get("/v1/events", listenToEvents)
  }
}
