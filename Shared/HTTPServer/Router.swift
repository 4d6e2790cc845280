import EventLoop
public import HTTPWire

/// The routes of a server and the middleware around them. Routes are added before the server listens.
public final class Router: Sendable {
  public typealias Handler = @Sendable (Request) throws -> Response
  public typealias AsyncHandler = @Sendable (Request) async throws -> Response
  /// Looks at a request before its handler: it may add attributes, answer itself, or throw.
  public typealias Before = @Sendable (inout Request) throws -> Response?
  /// Looks at every answer before it leaves.
  public typealias After = @Sendable (Request, inout Response) -> Void

  enum Action: Sendable {
    case now(Handler)
    case later(AsyncHandler)
  }

  struct Contents {
    var trie = RouteTrie()
    var before: [Before] = []
    var after: [After] = []
  }

  private let contents = Lock(Contents())

  public init() {}

  var snapshot: Contents { contents.withLock { $0 } }

  /// Every operation: method and pattern, sorted by pattern.
  public var routes: [(method: Method, pattern: String)] {
    snapshot.trie.routes.sorted { ($0.pattern, $0.method.rawValue) < ($1.pattern, $1.method.rawValue) }
  }

  public func before(_ hook: @escaping Before) { contents.withLock { $0.before.append(hook) } }
  public func after(_ hook: @escaping After) { contents.withLock { $0.after.append(hook) } }

  /// Adds a route. In a pattern `{name}` stands for one segment and a last `{name...}` for all the rest.
  ///
  /// A synchronous handler runs within the loop's turn and must not block; it creates no task.
  public func on(_ method: Method, _ pattern: String, _ handler: @escaping Handler) {
    contents.withLock { $0.trie.add(method, pattern, .now(handler)) }
  }

  public func on(_ method: Method, _ pattern: String, _ handler: @escaping AsyncHandler) {
    contents.withLock { $0.trie.add(method, pattern, .later(handler)) }
  }

  public func get(_ pattern: String, _ handler: @escaping Handler) { on(.get, pattern, handler) }
  public func get(_ pattern: String, _ handler: @escaping AsyncHandler) { on(.get, pattern, handler) }
  public func post(_ pattern: String, _ handler: @escaping AsyncHandler) { on(.post, pattern, handler) }
  public func put(_ pattern: String, _ handler: @escaping AsyncHandler) { on(.put, pattern, handler) }
  public func patch(_ pattern: String, _ handler: @escaping AsyncHandler) { on(.patch, pattern, handler) }
  public func delete(_ pattern: String, _ handler: @escaping AsyncHandler) { on(.delete, pattern, handler) }
}
