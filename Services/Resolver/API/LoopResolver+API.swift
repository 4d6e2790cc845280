import DNSWire
import EventLoop
import Octets
import ServiceKit

/// What the REST API asks of a loop's resolver.
extension LoopResolver {
  /// Resolves a question for a person or a program that speaks JSON.
  func resolve(
    _ question: Question, cacheOnly: Bool, tracing: Bool, context: TraceContext? = nil
  ) async -> Outcome {
    counters.httpQueries += 1
    guard !question.type.isMeta || question.type == .any else {
      return Outcome(code: .notImplemented, comment: "\(question.type) is no type of data")
    }
    return await withCheckedContinuation { continuation in
      lookUp(question, cacheOnly: cacheOnly, tracing: tracing, context: context) { outcome, _ in
        continuation.resume(returning: outcome)
      }
    }
  }

  /// Answers a query that came over HTTP; it must have a header and not be a response.
  func respond(to query: [UInt8], for client: IPAddress) async -> [UInt8] {
    counters.httpQueries += 1
    return await withCheckedContinuation { continuation in
      answer(query, for: client) { continuation.resume(returning: $0) }
    }
  }

  /// Live cache entries from a position on, and the position after them if there may be more.
  func page(from start: Int, limit: Int) -> (items: [CacheItem], next: Int?) {
    let now = setup.clock()
    var items: [CacheItem] = []
    let next = knowledge.cache.visit(from: start, now: now) { key, entry, bytes in
      guard items.count < limit else { return false }
      items.append(CacheItem(key, entry, bytes: bytes, now: now))
      return true
    }
    return (items, next)
  }

  /// Octets used and allowed, packets included.
  var cacheSize: (bytes: Int, limit: Int) {
    (knowledge.cache.bytes + packets.bytes, knowledge.cache.limit + packets.limit)
  }

  /// Forgets also how fast servers were, as after a start.
  func reset() {
    flush()
    knowledge.servers.removeAll()
  }
}
