import DNSWire
import Octets
import Testing

@testable import Resolver

/// Servers as a table of what each says, with a clock of their own: a walk is played to its end without any I/O.
final class Script {
  enum Reply {
    case message(Message)
    case silence
    case unreachable
    case broken(Breakage)
  }

  static let root = SocketAddress(ip: IPAddress(v4: 0x7F00_0901), port: 5300)

  var knowledge: Knowledge
  var world: Int64 = 1_000_000
  var steady = Duration.zero
  /// What was asked, in order.
  private(set) var asked: [Ask] = []
  private let reply: (Ask) throws -> Reply

  /// - Parameter reply: says what the server named in the ask answers.
  init(roots: [SocketAddress] = [Script.root], seed: UInt64 = 1, _ reply: @escaping (Ask) throws -> Reply) {
    knowledge = Knowledge(cacheLimit: 1 << 20, rootHints: roots, generator: SeededGenerator(seed: seed))
    knowledge.port = 5300
    self.reply = reply
  }

  var moment: Moment { Moment(world: world, steady: steady) }

  func resolve(
    _ name: String, _ type: RecordType = .a, cacheOnly: Bool = false, tracing: Bool = false
  ) throws -> Outcome {
    var walk = Walk(try #require(Name(name)), type, cacheOnly: cacheOnly, tracing: tracing)
    let start = steady
    var events: [WalkEvent] = [.start]
    var silent: [(id: Int, at: Duration)] = []
    while true {
      if events.isEmpty {
        silent.sort { $0.at < $1.at }
        if let next = silent.first, next.at < start + WorkBudget.time {
          silent.removeFirst()
          steady = max(steady, next.at)
          events.append(.patienceOver(exchange: next.id))
        } else {
          steady = start + WorkBudget.time
          events.append(.deadline)
        }
      }
      for action in walk.handle(events.removeFirst(), at: moment, &knowledge) {
        switch action {
        case .finish(let outcome): return outcome
        case .close(let id): silent.removeAll { $0.id == id }
        case .ask(let ask):
          asked.append(ask)
          steady += .milliseconds(1)
          switch try reply(ask) {
          case .message(var message):
            message.header.id = ask.id
            events.append(.response(exchange: ask.exchange, message, rtt: .milliseconds(1)))
          case .unreachable: events.append(.broken(exchange: ask.exchange, .unreachable("refused")))
          case .broken(let why): events.append(.broken(exchange: ask.exchange, why))
          case .silence: silent.append((ask.exchange, steady + ask.patience))
          }
        }
      }
    }
  }

  /// "server name type" of every ask.
  var trail: [String] { asked.map { "\($0.server.ip) \($0.name) \($0.type)" } }
}

extension Message {
  /// A response to an ask from text: one record a line, without TTL 300 and class, as "example.com. NS ns.example.com."
  static func response(
    _ ask: Ask, _ code: ResponseCode = .noError, aa: Bool = false, answer: [String] = [], authority: [String] = [],
    additional: [String] = []
  ) throws -> Message {
    var header = Header(id: ask.id)
    header.isResponse = true
    header.isAuthoritative = aa
    header.responseCode = code
    return Message(
      header: header, questions: [Question(name: ask.name, type: ask.type)], answers: try answer.map(record),
      authorities: try authority.map(record), additionals: try additional.map(record))
  }
}

/// "name [ttl] type data"; 300 without a TTL.
func record(_ text: String) throws -> ResourceRecord {
  let words = text.split(separator: " ", maxSplits: 1)
  var rest = words[1]
  var ttl: UInt32 = 300
  if let given = UInt32(rest.prefix { $0 != " " }) {
    ttl = given
    rest = rest.drop { $0 != " " }.dropFirst()
  }
  let type = try #require(RecordType(rest.prefix { $0 != " " }))
  return ResourceRecord(
    name: try #require(Name(words[0])), ttl: ttl,
    data: try RData(type: type, text: rest.drop { $0 != " " }.dropFirst(), origin: .root))
}

/// A record as "name type data".
func text(_ record: ResourceRecord) -> String { "\(record.name) \(record.type) \(record.data.text)" }

extension Script.Reply {
  static func says(
    _ ask: Ask, _ code: ResponseCode = .noError, aa: Bool = false, answer: [String] = [], authority: [String] = [],
    additional: [String] = []
  ) throws -> Script.Reply {
    .message(
      try .response(ask, code, aa: aa, answer: answer, authority: authority, additional: additional))
  }
}

/// The slides' part of the tree: the root, edu and umass.edu.
func umass(_ ask: Ask) throws -> Script.Reply {
  switch ask.server.ip.description {
  case "127.0.9.1":
    return try .says(ask, authority: ["edu. NS tld.edu."], additional: ["tld.edu. A 127.0.10.2"])
  case "127.0.10.2":
    return try .says(
      ask, authority: ["umass.edu. NS dns.umass.edu."], additional: ["dns.umass.edu. A 127.0.11.1"])
  case "127.0.11.1":
    if ask.name == Name("gaia.cs.umass.edu"), ask.type == .a {
      return try .says(ask, aa: true, answer: ["gaia.cs.umass.edu. A 127.0.50.1"])
    }
    if ask.name == Name("gaia.cs.umass.edu") {
      return try .says(ask, aa: true, authority: ["umass.edu. SOA dns.umass.edu. admin.umass.edu. 1 2 3 4 60"])
    }
    return try .says(
      ask, .nameError, aa: true, authority: ["umass.edu. SOA dns.umass.edu. admin.umass.edu. 1 2 3 4 60"])
  default: return .silence
  }
}
