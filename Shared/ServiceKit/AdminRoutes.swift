public import HTTPServer
public import HTTPWire

/// A router's routes that are the administrator's alone. What a query may ask is said with each: another name is refused, for it may
/// be a typing error.
public struct AdminRoutes: Sendable {
  private let router: Router
  private let requireAdmin: @Sendable (Request) throws -> Void

  /// - Parameter requireAdmin: throws where a request does not carry the administrator's token.
  public init(of router: Router, requireAdmin: @escaping @Sendable (Request) throws -> Void) {
    self.router = router
    self.requireAdmin = requireAdmin
  }

  public func on(
    _ method: HTTPWire.Method, _ pattern: String, _ handler: @escaping Router.AsyncHandler, query names: [String] = []
  ) {
    router.on(method, pattern) { [requireAdmin] request async throws in
      try requireAdmin(request)
      try request.requireQuery(of: names)
      return try await handler(request)
    }
  }
}
