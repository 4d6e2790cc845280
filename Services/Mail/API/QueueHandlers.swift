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
    let id = try request.id()
    guard let (letter, attempts) = try await store.letterWithAttempts(id) else {
      throw Problem.notFound("letter \(id)")
    }
    return try request.unlessHeld(letter.tag) { try .encode(LetterView(letter, attempts)) }
  }

  func getRawLetter(_ request: Request) async throws -> Response {
    try access.admin(request)
    let letter = try await foundLetter(request)
    guard let content = try await store.openLetter(letter) else {
      throw Problem(404, "Letter \(letter.id) is done and its body let go.")
    }
    return request.unlessHeld("\(letter.epoch)-letter-\(letter.id)") {
      .download(content, type: "message/rfc822", fileName: "\(letter.id).eml")
    }
  }

  func retryLetter(_ request: Request) async throws -> Response {
    try access.admin(request)
    let id = try request.id()
    let isWaiting = try await asking { try await store.retryNow(id, demand: request.demand()) }
    let letter = try await foundLetter(request)
    guard isWaiting else { throw Problem(409, "Letter \(id) is done: \(letter.state.rawValue).") }
    return try .accepted(LetterView(letter), at: "/v1/queue/\(id)").tagged(letter.tag)
  }

  func deleteLetter(_ request: Request) async throws -> Response {
    try access.admin(request)
    let id = try request.id()
    try await asking { try await store.deleteLetter(id, demand: request.demand()) }
    return .empty()
  }

  private func foundLetter(_ request: Request) async throws -> LetterRecord {
    let id = try request.id()
    guard let letter = try await store.letter(id) else { throw Problem.notFound("letter \(id)") }
    return letter
  }
}
