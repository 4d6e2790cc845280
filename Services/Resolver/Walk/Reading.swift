import DNSWire

/// What a response means to the walk that asked for it, after everything its sender had no right to say was dropped.
///
/// A server of a zone may speak of that zone and what is below it, and of nothing else: all other records are left out
/// here, before anyone can cache or follow them.
enum Reading {
  /// The question's records, behind the aliases that lead to them.
  case answer(aliases: [ResourceRecord], records: [ResourceRecord])
  /// Aliases that lead to a name of which this server says nothing.
  case alias(aliases: [ResourceRecord], target: Name)
  /// There is no such name, or it has no such type.
  case negative(CacheEntry.Kind, aliases: [ResourceRecord], name: Name, soa: ResourceRecord?)
  /// Ask the servers of a zone below.
  case referral(zone: Name, nameServers: [ResourceRecord], glue: [ResourceRecord])
  /// The server doesn't serve the zone; why, for a person.
  case lame(String)
  /// The server serves the zone, but the answer can't be used or is an error.
  case failure(String)
  /// A DNAME leads to a name longer than names can be.
  case tooLong

  /// More aliases than this are a loop or a mistake.
  static let mostAliases = 13
  private static let mostGlue = 60

  /// - Parameters:
  ///   - zone: the zone its sender was asked as a server of.
  ///   - forwarded: the sender is a recursive server and answers for all below the zone.
  init(_ message: Message, name: Name, type: RecordType, zone: Name, forwarded: Bool) {
    let code = message.header.responseCode
    guard [.noError, .nameError, .yxDomain].contains(code) else {
      self = code == .refused || code == .notAuthoritative ? .lame("\(code)") : .failure("\(code)")
      return
    }
    let speaksFor = { (record: ResourceRecord) in
      record.class == .internet && record.name.isAtOrBelow(zone) && !record.type.isMeta
    }
    let answers = message.answers.filter(speaksFor)
    var name = name
    var aliases: [ResourceRecord] = []
    var seen: Set<Name> = [name]
    while true {
      // Nothing is below a DNAME but what it leads to (RFC 6672 §2.4), so this comes before what is said of the name itself.
      let redirection = Self.redirection(of: name, in: answers)
      let records = answers.filter { $0.name == name && ($0.type == type || type == .any) }
      if redirection == nil, !records.isEmpty {
        self = .answer(aliases: aliases, records: records)
        return
      }
      guard let step = redirection ?? (type == .cname ? nil : Self.alias(of: name, in: answers)) else { break }
      switch step {
      case .tooLong:
        self = .tooLong
        return
      case .to(_, let records) where redirection != nil && type.isAnsweredByAlias:
        self = .answer(aliases: aliases + records.dropLast(), records: records.suffix(1))
        return
      case .to(let target, let records):
        aliases += records
        guard seen.insert(target).inserted, seen.count <= Self.mostAliases + 1 else {
          self = .failure("the aliases run in a circle")
          return
        }
        name = target
      }
    }
    guard code != .yxDomain else {
      self = .failure("\(code)")
      return
    }
    let soa = message.authorities.first { $0.type == .soa && speaksFor($0) && name.isAtOrBelow($0.name) }
    let authoritative = message.header.isAuthoritative
    if !aliases.isEmpty {
      // Of a target outside its zone the server knows nothing, whatever it says.
      if !name.isAtOrBelow(zone) || soa == nil {
        self = .alias(aliases: aliases, target: name)
      } else {
        self = .negative(code == .nameError ? .noSuchName : .noData, aliases: aliases, name: name, soa: soa)
      }
      return
    }
    if code == .nameError {
      self =
        authoritative || forwarded || soa != nil
        ? .negative(.noSuchName, aliases: [], name: name, soa: soa)
        : .lame("NXDOMAIN without authority")
      return
    }
    if soa == nil, !forwarded, let referral = Self.referral(message, name, zone, speaksFor) {
      self = referral
      return
    }
    if soa != nil || authoritative || forwarded {
      self = .negative(.noData, aliases: [], name: name, soa: soa)
      return
    }
    let upward = message.authorities.contains { $0.type == .ns }
    self = .lame(upward ? "a referral that leads no nearer" : "neither answer nor referral")
  }

  private enum AliasStep {
    case to(Name, [ResourceRecord])
    case tooLong
  }

  /// Where a DNAME above the name leads. Its CNAME is made here, not believed (RFC 6672 §3.4).
  private static func redirection(of name: Name, in answers: [ResourceRecord]) -> AliasStep? {
    for record in answers where record.type == .dname && name.isBelow(record.name) {
      guard let target = record.alias else { continue }
      guard let new = name.replacing(suffix: record.name, with: target) else { return .tooLong }
      return .to(new, [record, ResourceRecord.alias(name, to: new, ttl: record.ttl)])
    }
    return nil
  }

  /// Where a CNAME of the name leads.
  private static func alias(of name: Name, in answers: [ResourceRecord]) -> AliasStep? {
    for record in answers where record.type == .cname && record.name == name {
      if let target = record.alias { return .to(target, [record]) }
    }
    return nil
  }

  private static func referral(
    _ message: Message, _ name: Name, _ zone: Name, _ speaksFor: (ResourceRecord) -> Bool
  ) -> Reading? {
    let candidates = message.authorities.filter {
      $0.type == .ns && speaksFor($0) && $0.name.isBelow(zone) && name.isAtOrBelow($0.name)
    }
    guard let cut = candidates.first?.name else { return nil }
    let nameServers = Array(candidates.filter { $0.name == cut }.prefix(Delegation.mostServers))
    let targets = Set(nameServers.compactMap(\.nameServer))
    let glue = message.additionals.filter {
      $0.address != nil && speaksFor($0) && targets.contains($0.name)
    }
    return .referral(zone: cut, nameServers: nameServers, glue: Array(glue.prefix(mostGlue)))
  }
}
