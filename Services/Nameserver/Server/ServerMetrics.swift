import ServiceKit

/// What the loops count, for `/metrics`.
struct ServerMetrics: Sendable {
  private let udpQueries: Counter
  private let tcpQueries: Counter
  private let dropped: Counter
  private let truncated: Counter
  private let responses: [Counter]
  let connectionsRefused: Counter
  let rateLimitTruncated: Counter
  let rateLimitDropped: Counter

  init(_ metrics: Metrics) {
    let queries = "DNS queries received."
    udpQueries = metrics.counter("utopia_dns_queries_total", help: queries, labels: [("transport", "udp")])
    tcpQueries = metrics.counter("utopia_dns_queries_total", help: queries, labels: [("transport", "tcp")])
    dropped = metrics.counter(
      "utopia_dns_dropped_total", help: "Messages that are not answered: too short, or responses.")
    truncated = metrics.counter("utopia_dns_truncated_total", help: "Responses with TC.")
    responses = ["noerror", "formerr", "servfail", "nxdomain", "notimp", "refused", "other"].map {
      metrics.counter("utopia_dns_responses_total", help: "DNS responses by code.", labels: [("rcode", $0)])
    }
    let limited = "Answers by UDP beyond the rate limit."
    rateLimitTruncated = metrics.counter(
      "utopia_dns_rate_limited_total", help: limited, labels: [("action", "truncated")])
    rateLimitDropped = metrics.counter("utopia_dns_rate_limited_total", help: limited, labels: [("action", "dropped")])
    connectionsRefused = metrics.counter(
      "utopia_dns_connections_refused_total", help: "TCP connections over a limit.")
  }

  /// Adds what has happened since `old`: once a batch, not once a query.
  func add(_ new: Responder.Counters, since old: Responder.Counters) {
    add(udpQueries, new.udpQueries &- old.udpQueries)
    add(tcpQueries, new.tcpQueries &- old.tcpQueries)
    add(dropped, new.dropped &- old.dropped)
    add(truncated, new.truncated &- old.truncated)
    for index in responses.indices { add(responses[index], new.responses[index] &- old.responses[index]) }
  }

  private func add(_ counter: Counter, _ amount: UInt64) {
    if amount > 0 { counter.add(amount) }
  }
}
