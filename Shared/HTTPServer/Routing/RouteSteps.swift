import HTTPWire

/// The way of a request: the router's middleware, its route, the route's middleware, the handler. It is walked within the
/// loop's turn as far as nothing waits; a task walks the rest.
extension Router {
  /// Where a task goes on.
  enum Steps: Sendable {
    /// With this one of the router's hooks.
    case hooks(from: Int)
    /// With this one of the route's hooks, then its handler.
    case route(RouteTrie.Route, from: Int)
    /// With the handler: all the rest has been done.
    case handler(Router.AsyncHandler)
  }

  enum Beginning {
    case answered(Response)
    case later(Steps)
  }
}

extension Router.Contents {
  func begin(_ request: inout Request) throws -> Router.Beginning {
    for index in hooks.before.indices {
      guard case .now(let look) = hooks.before[index] else { return .later(.hooks(from: index)) }
      if let response = try look(&request) { return .answered(response) }
    }
    let route: RouteTrie.Route
    switch try find(&request) {
    case .answer(let response): return .answered(response)
    case .route(let found): route = found
    }
    for index in route.hooks.before.indices {
      guard case .now(let look) = route.hooks.before[index] else { return .later(.route(route, from: index)) }
      if let response = try look(&request) { return .answered(response) }
    }
    switch route.action {
    case .now(let handler): return .answered(try handler(request))
    case .later(let handler): return .later(.handler(handler))
    }
  }

  func finish(_ steps: Router.Steps, _ request: inout Request) async throws -> Response {
    let route: RouteTrie.Route
    var start = 0
    switch steps {
    case .handler(let handler): return try await handler(request)
    case .route(let found, let from):
      route = found
      start = from
    case .hooks(let from):
      for hook in hooks.before[from...] {
        if let response = try await look(hook, &request) { return response }
      }
      switch try find(&request) {
      case .answer(let response): return response
      case .route(let found): route = found
      }
    }
    for hook in route.hooks.before[start...] {
      if let response = try await look(hook, &request) { return response }
    }
    switch route.action {
    case .now(let handler): return try handler(request)
    case .later(let handler): return try await handler(request)
    }
  }

  /// What is done with every answer; the route's hooks first, since they stand nearer to it.
  func end(_ request: Request, _ response: inout Response) {
    if let route = request.matched {
      for hook in route.hooks.after { hook(request, &response) }
    }
    for hook in hooks.after { hook(request, &response) }
  }

  private func look(_ hook: Router.Hook, _ request: inout Request) async throws -> Response? {
    switch hook {
    case .now(let look): try look(&request)
    case .later(let look): try await look(&request)
    }
  }

  private enum Found {
    case route(RouteTrie.Route)
    case answer(Response)
  }

  private func find(_ request: inout Request) throws -> Found {
    let method = request.head.method
    if request.head.form == .asterisk { return .answer(.empty(.noContent, fields: ["allow": trie.allMethods])) }
    switch trie.match(method, request.head) {
    case .found(let route, let parameters):
      request.matched = route
      request.parameters = parameters
      return .route(route)
    case .methodNotAllowed(let allowed):
      // OPTIONS tells what a resource allows; any other method that it does not allow is refused with the same list.
      if method == .options { return .answer(.empty(.noContent, fields: ["allow": allowed])) }
      let detail = "\(method.rawValue) is not among what this resource allows: \(allowed)."
      return .answer(Response.problem(.methodNotAllowed, detail).with("allow", allowed))
    case .notFound: throw HTTPProblem(404, "There is nothing at this path.")
    }
  }
}
