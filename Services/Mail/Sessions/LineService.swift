import EventLoop
import Octets

/// What all connections of a door share: how their sessions begin, and who knows the answers.
protocol LineService: Sendable {
  associatedtype Session: LineSession

  /// Silence after which a session ends.
  var idleLimit: Duration { get }
  /// The time a letter may take to come in, however busily.
  var letterLimit: Duration { get }
  var sessions: SessionRegistry { get }
  /// What all sessions together hold of unfinished letters.
  var room: LetterRoom { get }
  var counters: MailCounters { get }

  /// The session of a connection that was just accepted.
  func session(with peer: Peer) -> Session
  func answer(_ request: Session.Request, of peer: Peer) -> LineAnswer<Session>
}

/// An answer, as what it does to the session.
enum LineAnswer<Session: LineSession>: Sendable {
  typealias Give = @Sendable (inout Session) -> Void

  /// It is known at once.
  case now(Give)
  /// It has to be found; the loop goes on meanwhile.
  case later(@Sendable () async -> Give)
}

extension LineService {
  /// Opens a session on a connection that was accepted on this loop.
  func open(_ socket: ConnectedSocket, on loop: EventLoop) {
    let connection = LineConnection(socket, self, on: loop)
    connection.assumeIsolated { $0.begin() }
  }
}

/// The other end of a connection, and whether others may listen to it.
struct Peer: Sendable {
  var address: IPAddress
  /// The stream never leaves this machine. (Later: or it is TLS.)
  var isPrivate: Bool
}
