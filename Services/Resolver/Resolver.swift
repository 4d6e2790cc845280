import ArgumentParser
import EventLoop
import Logging
import Octets
import ServiceKit

/// Recursive for its clients, iterative towards the world.
@main struct Resolver: ServiceCommand {
  static let configuration = CommandConfiguration(
    commandName: "utopia-resolver", abstract: "A recursive DNS resolver that can show each step of its walk.",
    version: Release.version)

  @OptionGroup var common: ServiceOptions

  @Option(help: .endpoint("Address and port for DNS over UDP and TCP; repeatable."))
  var dns: [SocketAddress] = []

  @Option(help: .network("Network whose clients are answered; repeatable. By default loopback."))
  var allow: [IPNetwork] = []

  @Option(help: "Address of a root server; repeatable.")
  var rootHint: [IPAddress] = []

  @Option(help: "Port of all servers, since delegations carry none.")
  var dnsPort: UInt16 = 53

  @Option(
    help: "ZONE=ADDRESS[:PORT]: ask this recursive server about the zone ('.' for all); repeatable.",
    transform: Resolver.rule)
  var forward: [ForwardRule] = []

  @Option(
    help: .network("Network whose trace context (EDNS option 65500) is believed, and to which it is sent; repeatable."))
  var traceNetwork: [IPNetwork] = []

  @Option(help: "Octets of memory for the cache.")
  var cacheBytes = Limits().cacheBytes

  static func rule(_ text: String) throws -> ForwardRule {
    guard let rule = ForwardRule(text) else {
      throw ValidationError("'\(text)' is not ZONE=ADDRESS or ZONE=ADDRESS:PORT")
    }
    return rule
  }

  func check() throws {
    guard !rootHint.isEmpty || !forward.isEmpty else {
      throw ValidationError("--root-hint ADDRESS or --forward ZONE=ADDRESS is needed: else nobody can be asked")
    }
    guard cacheBytes >= 1 << 16 else { throw ValidationError("--cache-bytes must be 65536 or more") }
  }

  func run() throws {
    let options = self
    try Service.run("resolver", common) { service in
      let clock = service.clock
      let setup = options.setup(isTracing: service.tracing.isOn) { clock.now.seconds }
      let resolvers = service.loops.map { LoopResolver(on: $0, setup, share: service.loops.count) }
      for address in options.dns {
        var address = address
        for (index, resolver) in resolvers.enumerated() {
          address = try await resolver.listen(address, isShared: resolvers.count > 1, isSibling: index > 0)
        }
        service.log.info("listening", metadata: ["dns": "\(address)"])
      }
      ResolverAPI(resolvers: resolvers, requireAdmin: { try service.access.requireAdmin($0) })
        .register(on: service.router)
      ResolverMetrics.register(resolvers, on: service.metrics)
      service.onReset { for resolver in resolvers { await resolver.reset() } }
      service.onDrain { for resolver in resolvers { await resolver.drain() } }
    }
  }

  private func setup(isTracing: Bool, _ clock: @escaping @Sendable () -> Int64) -> LoopResolver.Setup {
    var setup = LoopResolver.Setup(clock: clock)
    setup.limits.cacheBytes = cacheBytes
    setup.seed = common.seed
    setup.allowed = allow.isEmpty ? ["127.0.0.0/8", "::1"].compactMap { IPNetwork($0) } : allow
    // While nobody collects traces, nothing is added to what others see.
    if isTracing { setup.tracing = traceNetwork }
    setup.rootHints = rootHint.map { SocketAddress(ip: $0, port: dnsPort) }
    setup.forwarders = ForwardRule.forwarders(forward, port: dnsPort)
    setup.port = dnsPort
    // Servers then see the resolver's own address, as they would on its own machine.
    setup.sourceV4 = dns.map(\.ip).first { $0.isV4 && !$0.isUnspecified }
    setup.sourceV6 = dns.map(\.ip).first { !$0.isV4 && !$0.isUnspecified }
    return setup
  }
}
