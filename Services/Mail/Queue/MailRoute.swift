import MailWire
import Octets

/// What the domain name system said to one question.
enum NameAnswer<Record: Sendable & Equatable>: Sendable, Equatable {
  /// The name exists; there may still be no record of the type.
  case records([Record])
  case noSuchName
  /// No answer came, or one that says nothing (SERVFAIL).
  case failed(String)
}

/// An MX record.
struct MailExchanger: Sendable, Equatable {
  var preference: Int
  /// Lower-case, without the dot at the end; empty for the root, which is a null MX (RFC 7505).
  var host: String
}

/// Where letters to a domain go.
enum MailRoute: Sendable, Equatable {
  /// These hosts, in this order.
  case hosts([String])
  /// An address literal says where (RFC 5321 §4.1.3).
  case address(IPAddress)
  /// Nobody takes them, and never will.
  case refused(status: EnhancedStatus, text: String)
  /// It can't be told now.
  case deferred(status: EnhancedStatus, text: String)

  /// RFC 5321 §5.1: by preference, at random among equals; without MX the domain itself; and where this host is an exchanger
  /// of the domain, only those it prefers to itself.
  static func choose(
    domain: String, answer: NameAnswer<MailExchanger>, own: String, using random: inout some RandomNumberGenerator
  ) -> MailRoute {
    switch answer {
    case .failed(let reason):
      return .deferred(
        status: EnhancedStatus(4, 4, 3), text: "the mail hosts of \(domain) can't be looked up: \(reason)")
    case .noSuchName:
      return .refused(status: EnhancedStatus(5, 1, 2), text: "the domain \(domain) does not exist")
    case .records(let records):
      if records.isEmpty { return .hosts([domain]) }
      var exchangers = records.filter { !$0.host.isEmpty }
      if exchangers.isEmpty {
        return .refused(status: EnhancedStatus(5, 1, 10), text: "the domain \(domain) takes no mail (null MX)")
      }
      if let mine = exchangers.filter({ $0.host == own }).map(\.preference).min() {
        exchangers.removeAll { $0.preference >= mine }
        if exchangers.isEmpty {
          return .refused(
            status: EnhancedStatus(5, 4, 6), text: "mail for \(domain) comes here, but the domain is not served here")
        }
      }
      // A stable sort of a shuffled list leaves equals at random.
      let order = exchangers.shuffled(using: &random).enumerated().sorted {
        ($0.element.preference, $0.offset) < ($1.element.preference, $1.offset)
      }
      var hosts: [String] = []
      for (_, exchanger) in order where !hosts.contains(exchanger.host) { hosts.append(exchanger.host) }
      return .hosts(hosts)
    }
  }
}
