import DNSWire
import EventLoop
import ServiceKit

/// What clients' questions have in common when one walk can answer them all.
struct LookUpKey: Hashable {
  var name: Name
  var type: RecordType
  var cacheOnly: Bool
}

/// One walk, those who wait for it, and its timers. It lives on its resolver's loop.
final class LookUp {
  let question: Question
  let cacheOnly: Bool
  /// Nil where nobody may join: a traced walk tells one client's story.
  let key: LookUpKey?
  var walk: Walk
  var waiters: [(Outcome, Packet) -> Void] = []
  var deadline: TimerID?
  let began = Instant.current
  /// The trace that the first asker's query belongs to; never part of the key.
  let context: TraceContext?
  /// How often the resolver had been flushed when this began.
  let flushes: Int

  init(_ question: Question, cacheOnly: Bool, tracing: Bool, context: TraceContext?, flushes: Int) {
    self.context = context
    self.flushes = flushes
    self.question = question
    self.cacheOnly = cacheOnly
    key = tracing ? nil : LookUpKey(name: question.name, type: question.type, cacheOnly: cacheOnly)
    walk = Walk(question.name, question.type, cacheOnly: cacheOnly, tracing: tracing)
  }
}

/// Counts since the start, for /metrics.
struct Counters: Sendable {
  var udpQueries = 0
  var tcpQueries = 0
  var httpQueries = 0
  var packetHits = 0
  var refused = 0
  var walks = 0
  var coalesced = 0
  var upstreamQueries = 0
  var upstreamTimeouts = 0
  /// Datagrams that no query was waiting for: late, or forged.
  var foreignResponses = 0
  var serverFailures = 0

  static func + (one: Counters, other: Counters) -> Counters {
    var sum = one
    sum.udpQueries += other.udpQueries
    sum.tcpQueries += other.tcpQueries
    sum.httpQueries += other.httpQueries
    sum.packetHits += other.packetHits
    sum.refused += other.refused
    sum.walks += other.walks
    sum.coalesced += other.coalesced
    sum.upstreamQueries += other.upstreamQueries
    sum.upstreamTimeouts += other.upstreamTimeouts
    sum.foreignResponses += other.foreignResponses
    sum.serverFailures += other.serverFailures
    return sum
  }
}
