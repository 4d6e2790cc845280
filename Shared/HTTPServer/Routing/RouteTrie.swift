import HTTPWire

/// The routes as a flat trie of path segments: nodes in one array, children by index.
struct RouteTrie: Sendable {
  private struct Node: Sendable {
    var literals: [(segment: [UInt8], node: Int)] = []
    /// The child that takes any one segment.
    var parameter: Int?
    /// The child that takes all the rest.
    var tail: Int?
    /// By `Method.index`.
    var routes: [Route?] = Array(repeating: nil, count: Method.allCases.count)
    var methods: [Method] = []
  }

  /// A class, so that a request names its route at the cost of a retain.
  final class Route: Sendable {
    let action: Router.Action
    let hooks: Router.Hooks
    let pattern: String
    let names: [String]

    init(_ action: Router.Action, _ hooks: Router.Hooks, pattern: String, names: [String]) {
      self.action = action
      self.hooks = hooks
      self.pattern = pattern
      self.names = names
    }
  }

  enum Match {
    /// The route, and which parts of the head's octets its parameters stand for, in order.
    case found(Route, parameters: [Range<Int>])
    /// The path exists for the methods listed alone.
    case methodNotAllowed(String)
    case notFound
  }

  private var nodes: [Node] = [Node()]
  private(set) var routes: [(method: Method, pattern: String)] = []

  /// What the server as a whole allows (RFC 9110 §9.3.7).
  var allMethods: String { Self.list(routes.map(\.method)) }

  mutating func add(_ method: Method, _ pattern: String, _ action: Router.Action, _ hooks: Router.Hooks) {
    precondition(pattern.hasPrefix("/"), "a route's pattern begins with /")
    var node = 0
    var names: [String] = []
    for segment in pattern.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
      if segment.hasPrefix("{"), segment.hasSuffix("...}") {
        names.append(String(segment.dropFirst().dropLast(4)))
        node = child(of: node, \.tail)
      } else if segment.hasPrefix("{"), segment.hasSuffix("}") {
        names.append(String(segment.dropFirst().dropLast()))
        node = child(of: node, \.parameter)
      } else {
        node = literal(of: node, Array(segment.utf8))
      }
    }
    precondition(nodes[node].routes[method.index] == nil, "the route \(method.rawValue) \(pattern) is there already")
    nodes[node].routes[method.index] = Route(action, hooks, pattern: pattern, names: names)
    nodes[node].methods.append(method)
    routes.append((method, pattern))
  }

  private mutating func child(of node: Int, _ path: WritableKeyPath<Node, Int?>) -> Int {
    if let known = nodes[node][keyPath: path] { return known }
    nodes.append(Node())
    nodes[node][keyPath: path] = nodes.count - 1
    return nodes.count - 1
  }

  private mutating func literal(of node: Int, _ segment: [UInt8]) -> Int {
    if let known = nodes[node].literals.first(where: { $0.segment == segment }) { return known.node }
    nodes.append(Node())
    nodes[node].literals.append((segment, nodes.count - 1))
    return nodes.count - 1
  }

  /// The route of a path; a literal segment goes before a parameter, a parameter before the rest. HEAD is served by GET.
  func match(_ method: Method, _ head: RequestHead) -> Match {
    var parameters: [Range<Int>] = []
    let path = head.path.range
    guard path.lowerBound < path.upperBound, head.bytes[path.lowerBound] == 0x2F,
      let node = descend(0, head.bytes, path.lowerBound + 1, path.upperBound, &parameters)
    else { return .notFound }
    let wanted = method == .head && nodes[node].routes[Method.head.index] == nil ? Method.get : method
    guard let route = nodes[node].routes[wanted.index] else { return .methodNotAllowed(Self.list(nodes[node].methods)) }
    return .found(route, parameters: parameters)
  }

  /// As the Allow field has it (RFC 9110 §10.2.1).
  private static func list(_ methods: [Method]) -> String {
    var names = Set(methods.map(\.rawValue) + ["OPTIONS"])
    if names.contains("GET") { names.insert("HEAD") }
    return names.sorted().joined(separator: ", ")
  }

  private func descend(
    _ node: Int, _ bytes: [UInt8], _ start: Int, _ end: Int, _ parameters: inout [Range<Int>]
  ) -> Int? {
    var stop = start
    while stop < end, bytes[stop] != 0x2F { stop += 1 }
    let isLast = stop == end
    for child in nodes[node].literals where equal(child.segment, bytes, start, stop) {
      if isLast {
        if !nodes[child.node].methods.isEmpty { return child.node }
      } else if let found = descend(child.node, bytes, stop + 1, end, &parameters) {
        return found
      }
    }
    if let child = nodes[node].parameter, stop > start {
      parameters.append(start..<stop)
      if isLast {
        if !nodes[child].methods.isEmpty { return child }
      } else if let found = descend(child, bytes, stop + 1, end, &parameters) {
        return found
      }
      parameters.removeLast()
    }
    if let child = nodes[node].tail {
      parameters.append(start..<end)
      return child
    }
    return nil
  }

  private func equal(_ segment: [UInt8], _ bytes: [UInt8], _ start: Int, _ stop: Int) -> Bool {
    guard segment.count == stop - start else { return false }
    for index in 0..<segment.count where segment[index] != bytes[start + index] { return false }
    return true
  }
}
