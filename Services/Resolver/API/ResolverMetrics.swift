import EventLoop
import ServiceKit

/// The resolver's counts at /metrics. Each loop copies its own once a second, so that reading them stops nobody.
enum ResolverMetrics {
  private final class Snapshot: Sendable {
    let counters = Lock(Counters())
  }

  static func register(_ resolvers: [LoopResolver], on metrics: Metrics) {
    let snapshots = resolvers.map { resolver in
      let snapshot = Snapshot()
      resolver.loop.submit { repeatCopy(resolver, snapshot) }
      return snapshot
    }
    let families: [(String, String, @Sendable (Counters) -> Int)] = [
      ("dns_queries_udp_total", "Queries over UDP.", { $0.udpQueries }),
      ("dns_queries_tcp_total", "Queries over TCP.", { $0.tcpQueries }),
      ("dns_queries_http_total", "Queries over HTTP.", { $0.httpQueries }),
      ("dns_packet_hits_total", "Queries answered by a cached packet.", { $0.packetHits }),
      ("dns_refused_total", "Queries of clients outside the allowed networks.", { $0.refused }),
      ("dns_walks_total", "Questions that were resolved.", { $0.walks }),
      ("dns_coalesced_total", "Questions that joined an equal one.", { $0.coalesced }),
      ("dns_upstream_queries_total", "Queries to servers.", { $0.upstreamQueries }),
      ("dns_upstream_timeouts_total", "Servers that were silent for their patience.", { $0.upstreamTimeouts }),
      ("dns_foreign_responses_total", "Responses that no query waited for.", { $0.foreignResponses }),
      ("dns_server_failures_total", "Questions that failed.", { $0.serverFailures }),
    ]
    for (name, help, read) in families {
      metrics.gauge(name, help: help) {
        Double(snapshots.reduce(0) { $0 + read($1.counters.withLock { $0 }) })
      }
    }
  }

  private static func repeatCopy(_ resolver: LoopResolver, _ snapshot: Snapshot) {
    let counters = resolver.assumeIsolated { $0.counters }
    snapshot.counters.withLock { $0 = counters }
    resolver.loop.after(.seconds(1)) { repeatCopy(resolver, snapshot) }
  }
}
