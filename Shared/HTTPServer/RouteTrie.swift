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
    var actions: [Route?] = Array(repeating: nil, count: Method.allCases.count)
    var allowed: [Method] = []
  }

  struct Route: Sendable {
    let action: Router.Action
    let pattern: String
    let names: [String]
  }

  enum Match {
    case found(Route, PathParameters)
    /// The path exists for these methods alone.
    case methodNotAllowed([Method])
    case notFound
  }

  private var nodes: [Node] = [Node()]
  private(set) var routes: [(method: Method, pattern: String)] = []

  mutating func add(_ method: Method, _ pattern: String, _ action: Router.Action) {
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
    precondition(nodes[node].actions[method.index] == nil, "the route \(method.rawValue) \(pattern) is there already")
    nodes[node].actions[method.index] = Route(action: action, pattern: pattern, names: names)
    nodes[node].allowed.append(method)
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
    var parameters = PathParameters()
    let path = head.path.range
    guard path.lowerBound < path.upperBound, head.bytes[path.lowerBound] == 0x2F,
      let node = descend(0, head.bytes, path.lowerBound + 1, path.upperBound, &parameters)
    else { return .notFound }
    let wanted = method == .head && nodes[node].actions[Method.head.index] == nil ? Method.get : method
    guard let route = nodes[node].actions[wanted.index] else { return .methodNotAllowed(nodes[node].allowed) }
    parameters.names = route.names
    return .found(route, parameters)
  }

  private func descend(
    _ node: Int, _ bytes: [UInt8], _ start: Int, _ end: Int, _ parameters: inout PathParameters
  ) -> Int? {
    var stop = start
    while stop < end, bytes[stop] != 0x2F { stop += 1 }
    let isLast = stop == end
    for child in nodes[node].literals where equal(child.segment, bytes, start, stop) {
      if isLast {
        if !nodes[child.node].allowed.isEmpty { return child.node }
      } else if let found = descend(child.node, bytes, stop + 1, end, &parameters) {
        return found
      }
    }
    if let child = nodes[node].parameter, stop > start {
      parameters.ranges.append(start..<stop)
      if isLast {
        if !nodes[child].allowed.isEmpty { return child }
      } else if let found = descend(child, bytes, stop + 1, end, &parameters) {
        return found
      }
      parameters.ranges.removeLast()
    }
    if let child = nodes[node].tail {
      parameters.ranges.append(start..<end)
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

/// What the parameters of a pattern stand for, as parts of the head's octets.
struct PathParameters: Sendable {
  var names: [String] = []
  var ranges: [Range<Int>] = []

  func range(_ name: String) -> Range<Int>? {
    guard let index = names.firstIndex(of: name), index < ranges.count else { return nil }
    return ranges[index]
  }
}
