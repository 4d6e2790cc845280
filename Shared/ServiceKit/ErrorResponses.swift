public import HTTPServer
import HTTPWire
public import SQL

/// What a client is told when the database did not do it. The words of the database are for the log, not for the client.
extension SQLError: ResponseError {
  public var response: Response {
    switch kind {
    case .full: Problem(507, "The disk is full: nothing was changed, and reading goes on.").response
    case .busy, .overloaded, .closed: Problem(503, "The database is busy; try again.").response
    default: Problem(.internalServerError, "The database failed; the log says why.").response
    }
  }
}
