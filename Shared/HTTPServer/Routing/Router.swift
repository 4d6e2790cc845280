import EventLoop
public import HTTPWire

/// The routes of a server and the middleware around them. Routes are added before the server listens.
///
///     let router = Router()
///     router.before(RateLimit(perSecond: 50, burst: 100).check)
///     router.get("/hello/{name}") { request in .text("Hello, \(request.parameter("name")).") }
///     let admin = router.group("/admin").before { request in try requireAdmin(request) }
///     admin.delete("/cache") { request in await cache.flush(); return .empty() }
public final class Router: RouteBuilder {
  /// Answers at once: it runs within the loop's turn, must not block, and creates no task.
  public typealias Handler = @Sendable (Request) throws -> Response
  /// Answers when it is ready; it is cancelled when the client goes.
  public typealias AsyncHandler = @Sendable (Request) async throws -> Response
  /// Looks at a request before its handler: it may add attributes, answer itself, or throw. Within the loop's turn.
  public typealias Before = @Sendable (inout Request) throws -> Response?
  /// The same, where it has to wait.
  public typealias AsyncBefore = @Sendable (inout Request) async throws -> Response?
  /// Looks at every answer before it leaves.
  public typealias After = @Sendable (Request, inout Response) -> Void

  enum Action: Sendable {
    case now(Handler)
    case later(AsyncHandler)
  }

  enum Hook: Sendable {
    case now(Before)
    case later(AsyncBefore)
  }

  /// What stands around the routes of the router or of a group.
  struct Hooks: Sendable {
    var before: [Hook] = []
    var after: [After] = []
  }

  struct Contents: Sendable {
    var trie = RouteTrie()
    var hooks = Hooks()
  }

  private let contents = Lock(Contents())

  public init() {}

  var snapshot: Contents { contents.withLock { $0 } }

  /// Every operation: method and pattern, sorted by pattern.
  public var routes: [(method: Method, pattern: String)] {
    snapshot.trie.routes.sorted { ($0.pattern, $0.method.rawValue) < ($1.pattern, $1.method.rawValue) }
  }

  /// Adds middleware for every request, also for one that no route takes; in the order added.
  public func before(_ hook: @escaping Before) { contents.withLock { $0.hooks.before.append(.now(hook)) } }
  public func before(_ hook: @escaping AsyncBefore) { contents.withLock { $0.hooks.before.append(.later(hook)) } }
  public func after(_ hook: @escaping After) { contents.withLock { $0.hooks.after.append(hook) } }

  public func group(_ prefix: String) -> RouteGroup { RouteGroup(router: self, prefix: prefix, hooks: Hooks()) }

  public func on(_ method: Method, _ pattern: String, _ handler: @escaping Handler) {
    add(method, pattern, .now(handler), Hooks())
  }

  public func on(_ method: Method, _ pattern: String, _ handler: @escaping AsyncHandler) {
    add(method, pattern, .later(handler), Hooks())
  }

  func add(_ method: Method, _ pattern: String, _ action: Action, _ hooks: Hooks) {
    contents.withLock { $0.trie.add(method, pattern, action, hooks) }
  }
}

/// Routes with a common prefix and middleware of their own, which runs inside the router's, once the route is known. A value:
/// each call returns a further group, and the routes take the middleware of the group they are added to.
public struct RouteGroup: RouteBuilder {
  let router: Router
  let prefix: String
  var hooks: Router.Hooks

  /// A group within this one.
  public func group(_ prefix: String) -> RouteGroup {
    RouteGroup(router: router, prefix: self.prefix + prefix, hooks: hooks)
  }

  public func before(_ hook: @escaping Router.Before) -> RouteGroup { with { $0.before.append(.now(hook)) } }
  public func before(_ hook: @escaping Router.AsyncBefore) -> RouteGroup { with { $0.before.append(.later(hook)) } }
  public func after(_ hook: @escaping Router.After) -> RouteGroup { with { $0.after.append(hook) } }

  public func on(_ method: Method, _ pattern: String, _ handler: @escaping Router.Handler) {
    router.add(method, prefix + pattern, .now(handler), hooks)
  }

  public func on(_ method: Method, _ pattern: String, _ handler: @escaping Router.AsyncHandler) {
    router.add(method, prefix + pattern, .later(handler), hooks)
  }

  private func with(_ change: (inout Router.Hooks) -> Void) -> RouteGroup {
    var copy = self
    change(&copy.hooks)
    return copy
  }
}

/// Whatever routes are added to.
public protocol RouteBuilder: Sendable {
  /// Adds a route. In a pattern `{name}` stands for one segment and a last `{name...}` for all the rest.
  func on(_ method: Method, _ pattern: String, _ handler: @escaping Router.Handler)
  func on(_ method: Method, _ pattern: String, _ handler: @escaping Router.AsyncHandler)
}

extension RouteBuilder {
  public func get(_ pattern: String, _ handler: @escaping Router.Handler) { on(.get, pattern, handler) }
  public func get(_ pattern: String, _ handler: @escaping Router.AsyncHandler) { on(.get, pattern, handler) }
  public func post(_ pattern: String, _ handler: @escaping Router.AsyncHandler) { on(.post, pattern, handler) }
  public func put(_ pattern: String, _ handler: @escaping Router.AsyncHandler) { on(.put, pattern, handler) }
  public func patch(_ pattern: String, _ handler: @escaping Router.AsyncHandler) { on(.patch, pattern, handler) }
  public func delete(_ pattern: String, _ handler: @escaping Router.AsyncHandler) { on(.delete, pattern, handler) }
}
