import HTTPServer
import HTTPWire
import ServiceKit

/// `/v1/queue`
extension MailAPI {
  func listQueue(_ request: Request) async throws -> Response {
    try access.admin(request)
    let limit = try request.limit()
    let name = request.query("state")
    let state = name.flatMap(QueueState.init)
    if name != nil, state == nil {
      throw Problem(400, "state is waiting, delivered or failed.", field: "state")
    }
    let letters = try await store.letters(before: try request.idCursor(), limit: limit + 1, state: state)
    return try .encode(Page(letters, limit: limit, cursor: { "\($0.id)" }, view: { LetterView($0) }))
  }

  func getLetter(_ request: Request) async throws -> Response {
    try access.admin(request)
    let letter = try await foundLetter(request)
    return try .encode(LetterView(letter, try await store.attempts(letter.id)))
  }

  func getRawLetter(_ request: Request) async throws -> Response {
    try access.admin(request)
    let letter = try await foundLetter(request)
    let tag = "letter-\(letter.id)"
    guard let content = try await store.letterContent(letter.id) else {
      throw Problem(404, "Letter \(letter.id) is done and its body let go.")
    }
    if request.has(EntityTag(tag)) { return .notModified(tag) }
    return Response.download(content, type: "message/rfc822", fileName: "\(letter.id).eml").tagged(tag)
  }

  func retryLetter(_ request: Request) async throws -> Response {
    try access.admin(request)
    let letter = try await foundLetter(request)
    guard letter.state == .waiting, try await store.retryNow(letter.id) else {
      throw Problem(409, "Letter \(letter.id) is done: \(letter.state.rawValue).")
    }
    let now = try await store.letter(letter.id) ?? letter
    return try .accepted(LetterView(now), at: "/v1/queue/\(letter.id)")
  }

  func deleteLetter(_ request: Request) async throws -> Response {
    try access.admin(request)
    let id = try request.id()
    guard try await store.deleteLetter(id) else { throw Problem.notFound("letter \(id)") }
    return .empty()
  }

  private func foundLetter(_ request: Request) async throws -> LetterRecord {
    let id = try request.id()
    guard let letter = try await store.letter(id) else { throw Problem.notFound("letter \(id)") }
    return letter
  }
}
