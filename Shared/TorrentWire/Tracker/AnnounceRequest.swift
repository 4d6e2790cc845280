public import Octets

/// What a peer tells a tracker, by HTTP or UDP, when it begins, ends, or a while has passed (BEP 3, BEP 15).
public struct AnnounceRequest: Sendable, Equatable {
  public enum Event: UInt32, Sendable {
    case none = 0, completed, started, stopped
  }

  public var infoHash: InfoHash
  public var peerID: PeerID
  /// Where it takes connections; 0 where it takes none.
  public var port: UInt16
  public var uploaded: UInt64 = 0
  public var downloaded: UInt64 = 0
  /// Octets that it still lacks; nil where it does not know: it has no metadata yet.
  public var left: UInt64?
  public var event = Event.none
  /// How many peers it wants to hear of; nil leaves that to the tracker.
  public var wanted: Int?
  /// By what it is known again at another address; only the tracker is told.
  public var key: [UInt8]?
  /// The address that it gives as its own, which nobody has to believe.
  public var claimedAddress: IPAddress?
  /// What the tracker called itself.
  public var trackerID: [UInt8]?
  /// It takes peers as a list of dictionaries alone (BEP 23).
  public var wantsDictionaries = false
  /// In those, it can do without the ids.
  public var leavesOutIDs = false

  public init(infoHash: InfoHash, peerID: PeerID, port: UInt16) {
    self.infoHash = infoHash
    self.peerID = peerID
    self.port = port
  }
}

/// Why a tracker does not answer as asked; the words are the `failure reason`.
public struct TrackerFailure: Error, Sendable, Equatable, CustomStringConvertible {
  public let description: String
  /// When to try again (BEP 31).
  public enum Retry: Sendable, Equatable {
    case minutes(Int)
    case never
  }
  public var retry: Retry?

  public init(_ description: String, retry: Retry? = nil) {
    self.description = description
    self.retry = retry
  }

  /// The answer of an HTTP tracker, which goes with the status 200 (BEP 3).
  public var encoded: [UInt8] {
    var writer = BencodeWriter()
    writer.dictionary { answer in
      answer.member("failure reason", description)
      switch retry {
      case .minutes(let minutes): answer.member("retry in", minutes)
      case .never: answer.member("retry in", "never")
      case nil: break
      }
    }
    return writer.octets
  }
}

/// The parameters of a tracker's URL. Their values are octets, not text: an info hash has all of them, and a `+` is a plus.
private struct TrackerQuery {
  enum Parameter: String, CaseIterable {
    case infoHash = "info_hash"
    case peerID = "peer_id"
    case port, uploaded, downloaded, left, event, numwant, key, trackerid, ip, compact
    case noPeerID = "no_peer_id"
  }

  private static let names = Parameter.allCases.map { Array($0.rawValue.utf8) }

  /// As they came, in their order.
  private var values: [(parameter: Parameter, value: ArraySlice<UInt8>)] = []

  init(_ query: ArraySlice<UInt8>) {
    values.reserveCapacity(16)
    var start = query.startIndex
    while start < query.endIndex {
      let end = query[start...].firstIndex(of: 0x26) ?? query.endIndex
      let equals = query[start..<end].firstIndex(of: 0x3D) ?? end
      let name = query[start..<equals]
      if let place = Self.names.firstIndex(where: { $0.count == name.count && $0[...] == name }) {
        values.append((Parameter.allCases[place], query[equals..<end].dropFirst()))
      }
      start = end + 1
    }
  }

  /// Decoded once; of several the first that says anything, nil where none does.
  func value(_ parameter: Parameter) -> [UInt8]? {
    values.first { $0.parameter == parameter && !$0.value.isEmpty }.map { PercentEncoding.decode($0.value) }
  }

  func all(_ parameter: Parameter) -> [[UInt8]] {
    values.filter { $0.parameter == parameter }.map { PercentEncoding.decode($0.value) }
  }

  func number(_ parameter: Parameter) throws(TrackerFailure) -> Int64? {
    guard let text = value(parameter) else { return nil }
    let isNegative = text.first == 0x2D
    let digits = isNegative ? text.dropFirst() : text[...]
    guard !digits.isEmpty, digits.allSatisfy({ $0.isASCIIDigit }) else {
      throw TrackerFailure("\(parameter.rawValue) is no number")
    }
    // Larger ones are as good as the largest: some say so that they don't know.
    let number = digits.parsedDecimal(as: Int64.self) ?? .max
    return isNegative ? -number : number
  }

  func hash() throws(TrackerFailure) -> InfoHash {
    let given = all(.infoHash)
    guard given.count < 2 else { throw TrackerFailure("info_hash may be given once") }
    guard let hash = given.first.flatMap({ InfoHash($0) }) else {
      throw TrackerFailure("info_hash has to be 20 octets")
    }
    return hash
  }
}

extension AnnounceRequest {
  /// Octets of `key` and `trackerid`, at most; longer ones count as not given.
  static let tokenLimit = 128

  /// From the query of an announce URL, as it stood in the request.
  /// - Throws: for what no answer can be given to. What is not known, empty or without a value does no harm.
  public init(query: ArraySlice<UInt8>) throws(TrackerFailure) {
    let query = TrackerQuery(query)
    infoHash = try query.hash()
    guard let peerID = query.value(.peerID).flatMap({ PeerID($0) }) else {
      throw TrackerFailure("peer_id has to be 20 octets")
    }
    self.peerID = peerID
    guard let port = try query.number(.port) else { throw TrackerFailure("port is missing") }
    guard let port = UInt16(exactly: port) else {
      throw TrackerFailure("port has to be 0 to 65535")
    }
    self.port = port
    uploaded = UInt64(max(0, try query.number(.uploaded) ?? 0))
    downloaded = UInt64(max(0, try query.number(.downloaded) ?? 0))
    left = try query.number(.left).flatMap { $0 == .max ? nil : UInt64(exactly: $0) }
    switch query.value(.event).map({ String(decoding: $0, as: UTF8.self) }) {
    case "started": event = .started
    case "completed": event = .completed
    case "stopped": event = .stopped
    default: event = .none
    }
    if let number = try query.number(.numwant), number >= 0 { wanted = Int(clamping: number) }
    key = query.value(.key).flatMap { $0.count <= Self.tokenLimit ? $0 : nil }
    trackerID = query.value(.trackerid).flatMap { $0.count <= Self.tokenLimit ? $0 : nil }
    claimedAddress = query.value(.ip).flatMap { IPAddress(String(decoding: $0, as: UTF8.self)) }
    wantsDictionaries = query.value(.compact) == [0x30]
    leavesOutIDs = query.value(.noPeerID) == [0x31]
  }

  /// The query of an announce URL, without a question mark.
  public var query: String {
    var text = "info_hash=\(Self.escaped(infoHash.octets))&peer_id=\(Self.escaped(peerID.octets))&port=\(port)"
    text += "&uploaded=\(uploaded)&downloaded=\(downloaded)&left=\(left ?? 16_384)&compact=1"
    switch event {
    case .none: break
    case .started: text += "&event=started"
    case .completed: text += "&event=completed"
    case .stopped: text += "&event=stopped"
    }
    if let wanted { text += "&numwant=\(wanted)" }
    if let key { text += "&key=\(Self.escaped(key))" }
    if let trackerID { text += "&trackerid=\(Self.escaped(trackerID))" }
    return text
  }

  static func escaped(_ octets: [UInt8]) -> String { PercentEncoding.encode(octets: octets) }
}

/// The torrents that a scrape asks about (BEP 48).
public enum ScrapeRequest {
  /// - Throws: where one of them has not 20 octets, none is given, or more than `limit`.
  public static func infoHashes(query: ArraySlice<UInt8>, limit: Int) throws(TrackerFailure) -> [InfoHash] {
    let given = TrackerQuery(query).all(.infoHash)
    guard !given.isEmpty else { throw TrackerFailure("info_hash is missing: all torrents at once are not told") }
    guard given.count <= limit else { throw TrackerFailure("at most \(limit) info_hash are taken") }
    var hashes: [InfoHash] = []
    for octets in given {
      guard let hash = InfoHash(octets) else { throw TrackerFailure("info_hash has to be 20 octets") }
      hashes.append(hash)
    }
    return hashes
  }

  public static func query(_ hashes: [InfoHash]) -> String {
    hashes.map { "info_hash=\(AnnounceRequest.escaped($0.octets))" }.joined(separator: "&")
  }
}
