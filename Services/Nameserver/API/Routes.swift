import HTTPServer
import HTTPWire
import ServiceKit

/// Every operation of the zone API, in the paths that PowerDNS gave them.
enum Routes {
  private static let server = "/api/v1/servers/localhost"

  /// - Parameter authorize: throws unless the request carries the administrator's token.
  static func add(
    to router: Router, _ zones: ZoneHandlers, authorize: @escaping @Sendable (Request) throws -> Void
  ) {
    func on(
      _ method: Method, _ path: String, _ handler: @escaping @Sendable (Request) async throws -> Response
    ) {
      let guarded: Router.AsyncHandler = { request in
        do {
          try authorize(request)
          return try await handler(request)
        } catch {
          throw APIProblem(error) ?? error
        }
      }
      router.on(method, path, guarded)
    }
    // A path that no route has is refused in the same words: clients of PowerDNS read `error`.
    router.after { request, response in
      guard request.route == nil, response.status == 404, request.path.hasPrefix("/api/") else { return }
      response = APIProblem(404, "There is nothing at this path.").response
    }
    on(.get, "/api") { _ in .json(try JSON.encode([VersionView()])) }
    on(.get, "/api/v1/servers") { _ in .json(try JSON.encode([ServerView()])) }
    on(.get, server) { _ in .json(try JSON.encode(ServerView())) }
    on(.get, server + "/zones", zones.list)
    on(.post, server + "/zones", zones.create)
    on(.get, server + "/zones/{zone}", zones.show)
    on(.patch, server + "/zones/{zone}", zones.patch)
    on(.put, server + "/zones/{zone}", zones.replace)
    on(.delete, server + "/zones/{zone}", zones.delete)
    on(.get, server + "/zones/{zone}/export", zones.export)
    on(.put, server + "/zones/{zone}/notify", zones.notify)
    on(.put, server + "/zones/{zone}/rectify", zones.rectify)
  }
}
