import HTTPServer
import HTTPWire
import Octets
import ServiceKit

/// What requests say besides their body, checked.
extension Request {
  /// A whole number in a query parameter.
  func number(_ name: String, in range: ClosedRange<Int>) throws(Problem) -> Int? {
    guard let text = query(name) else { return nil }
    guard let number = Int(digits: text), range ~= number else {
      throw Problem(400, "\(name) is a number from \(range.lowerBound) to \(range.upperBound).", field: name)
    }
    return number
  }

  /// A text of bounded length in a query parameter; not empty.
  func text(_ name: String, limit: Int) throws(Problem) -> String? {
    guard let text = query(name) else { return nil }
    guard 1...limit ~= text.unicodeScalars.count else {
      throw Problem(400, "\(name) has 1 to \(limit) characters.", field: name)
    }
    return text
  }

  /// The search of `q`.
  func search() throws(Problem) -> Search {
    guard let query = query("q") else { return Search() }
    guard query.unicodeScalars.count <= 1000 else { throw Problem(400, "q has at most 1000 characters.", field: "q") }
    do {
      return try SearchQuery.parse(query)
    } catch {
      throw Problem.invalid(field: "q", error.reason)
    }
  }

  /// The answer, or 304 where the client has this state already.
  func unlessHeld(_ tag: String, _ answer: () throws -> Response) rethrows -> Response {
    has(EntityTag(tag)) ? .notModified(tag) : try answer().tagged(tag)
  }

  /// The number of a message or a letter in the path.
  func id() throws(Problem) -> Int64 {
    guard let id = Int(digits: parameter("id")), id > 0 else { throw Problem.notFound("number \(parameter("id"))") }
    return Int64(id)
  }

  /// What If-Match demands of the resource when it is changed; nil where it demands nothing.
  func demand<Record: Tagged>() -> Demand<Record>? {
    guard head.firstField("if-match") != nil else { return nil }
    let head = head
    return { record in
      guard head.precondition(Validators(entityTag: EntityTag(record.tag))) == .proceed else { throw StoreError.stale }
    }
  }

  /// Whether the client has this state already (If-None-Match).
  func has(_ tag: EntityTag) -> Bool { head.precondition(Validators(entityTag: tag)) == .notModified }
}

extension Int {
  /// Decimal digits alone: no sign, no blank.
  init?(digits text: String) {
    guard let number: Int = text.utf8.parsedDecimal(as: Int.self) else { return nil }
    self = number
  }
}

extension Problem {
  /// What a store's refusal is in HTTP. `field` is the part of the request that led to it.
  static func from(_ error: StoreError, field: String = "") -> Problem {
    switch error {
    case .noSuchDomain:
      field.isEmpty ? notFound("such domain") : invalid(field: field, "is not of a domain of this host")
    case .noSuchMailbox: notFound("such mailbox")
    case .noSuchFolder:
      field.isEmpty ? notFound("such folder") : invalid(field: field, "is not a folder of this mailbox")
    case .noSuchMessage: notFound("such message")
    case .noSuchLetter: notFound("such letter")
    case .reset: notFound("such thing any more")
    case .noDraft: Problem(409, "It is no draft: what was sent or came in stays as it is.")
    case .tooManyFolders(let limit): Problem(409, "A mailbox has at most \(limit) folders.")
    case .mailboxFull(let address): Problem(507, "The mailbox \(address) is full.")
    case .queueFull: Problem(507, "Too many letters wait for other hosts already.")
    case .domainInUse: Problem(409, "The domain still has mailboxes; delete them first.")
    case .exists: Problem(409, "It exists already.")
    case .folderProtected: Problem(409, "INBOX, Sent, Drafts and Trash stay.")
    case .stale: Problem(412, "It was changed since; read it again.")
    case .full: Problem(507, "The disk is full; nothing was kept.")
    case .unknownRecipient(let address): invalid(field: field, "has an unknown recipient: \(address)")
    case .invalid(let reason): invalid(field: field, "can't be accepted: \(reason)")
    }
  }
}

/// Runs what asks the store, with its refusals as problems.
func asking<Value>(_ field: String = "", _ body: () async throws -> Value) async throws -> Value {
  do {
    return try await body()
  } catch let error as StoreError {
    throw Problem.from(error, field: field)
  }
}
