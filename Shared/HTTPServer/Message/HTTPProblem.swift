public import HTTPWire

/// An error with the status and the words it is answered with.
public struct HTTPProblem: Error, Sendable {
  public var status: Status
  public var detail: String

  public init(_ status: Status, _ detail: String) {
    self.status = status
    self.detail = detail
  }
}

/// An error that knows its own answer.
public protocol ResponseError: Error {
  var response: Response { get }
}

extension HTTPProblem: ResponseError {
  public var response: Response { .problem(status, detail) }
}

extension RequestError: ResponseError {
  public var response: Response { .problem(status, detail) }
}
