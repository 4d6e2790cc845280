import DNSWire
import Octets

/// A query to be sent to one server.
struct Ask {
  enum Transport: String {
    case udp
    case tcp
  }

  /// Names the exchange between the walk and those who carry it out.
  var exchange: Int
  /// Of the message; hard to guess (RFC 5452 §4.3).
  var id: UInt16
  var name: Name
  var type: RecordType
  var server: SocketAddress
  var transport: Transport
  var withEDNS: Bool
  var recursionDesired: Bool
  /// After this the walk wants to hear `patienceOver`; the exchange stays open.
  var patience: Duration
}

/// What happens to a walk.
enum WalkEvent {
  case start
  /// A response that matches the exchange in server, id and question.
  case response(exchange: Int, Message, rtt: Duration)
  /// The server has been silent for its patience.
  case patienceOver(exchange: Int)
  /// The exchange is over without a response.
  case broken(exchange: Int, Breakage)
  /// The client's time is up.
  case deadline
  /// Others need the room.
  case crowdedOut
}

enum Breakage {
  /// The server's machine or the network refused.
  case unreachable(String)
  /// What came isn't a DNS message, or not a response to the query.
  case malformed(String)
  /// This machine could not ask (it is out of descriptors, memory or ports): nothing is learnt about the server.
  case shortage(String)
}

/// What a walk wants done, in this order.
enum WalkAction {
  case ask(Ask)
  /// Nothing is expected from the exchange any more.
  case close(exchange: Int)
  case finish(Outcome)
}

/// How a client's question ended.
struct Outcome {
  var code: ResponseCode
  var answers: [ResourceRecord] = []
  /// The SOA of a negative answer; the nearest name servers known when only the cache was asked.
  var authorities: [ResourceRecord] = []
  /// Why it failed, for a person.
  var comment: String?
  /// The resolver itself is short of something: the same question may be answered a moment later, so this isn't remembered.
  var isPassing = false
  var steps: [Step] = []
}

/// Everything one client query may spend, its sub-queries included.
struct WorkBudget {
  /// Messages to servers.
  var queries = 50
  /// Aliases followed.
  var aliases = 13
  /// Name servers without address looked up for one delegation.
  static let lookUpsPerDelegation = 5
  /// Look-ups within look-ups.
  static let mostDepth = 8
  /// How often one server is asked the same.
  static let triesPerServer = 3
  static let time = Duration.seconds(7)
}

/// When something happens: in the world, whose clock TTLs obey, and for waiting.
struct Moment {
  /// World seconds.
  var world: Int64
  /// Monotonic, from any start.
  var steady: Duration
}

/// What a walk draws on and adds to; walks of one resolver share it. It belongs to one event loop.
struct Knowledge {
  var cache: RecordCache
  var servers: ServerTable
  var generator: any RandomNumberGenerator
  /// The root's servers.
  var rootHints: [SocketAddress]
  /// The zones that are asked of recursive servers.
  var forwarders: [Forwarder] = []
  /// The port of every server found by delegation, which carries none.
  var port: UInt16 = 53
  /// Which addresses may be asked.
  var mayAsk: (IPAddress) -> Bool = { _ in true }

  init(
    cacheLimit: Int, rootHints: [SocketAddress], generator: some RandomNumberGenerator = SystemRandomNumberGenerator()
  ) {
    cache = RecordCache(limit: cacheLimit)
    servers = ServerTable(limit: 1 << 20)
    self.rootHints = rootHints
    self.generator = generator
  }

  /// The forwarder for the name that knows most of it.
  func forwarder(for name: Name) -> Forwarder? {
    forwarders.filter { name.isAtOrBelow($0.zone) }.max { $0.zone.labelCount < $1.zone.labelCount }
  }
}
