import EventLoop
import Logging
import Octets
import ServiceKit
import TorrentWire

/// One torrent of this peer: does what its exchange decides.
actor Torrent {
  enum State: Sendable, Equatable {
    /// Only the magnet link is known; peers are asked for the rest (BEP 9).
    case fetchingInfo
    /// What lies in the folder is looked at: octets that were.
    case checking(done: Int64)
    case downloading, seeding, paused
    /// It stands still until somebody does what the words say.
    case failed(String)
  }

  /// Where it stands between a start and a stop.
  enum Life {
    case resting, running
    /// What was under way comes to its end, for which others may wait; then it rests, or begins again.
    case stopping(until: Pending, startsAgain: Bool)
  }

  /// Something that was decided, as it is kept for who asks later.
  struct Decision: Sendable {
    var id: Int64
    /// Seconds since 1970, world clock.
    var time: Int64
    var event: ExchangeEvent
  }

  /// A connection, and what it waits for.
  struct Link {
    let link: PeerLink
    let peer: PeerState
    let limits: (up: RateLimiters, down: RateLimiters)
    /// The block that is sent next, when its octets are read or it may go.
    var next: Block?
    /// It waits for the disk or for its turn.
    var isWaiting = false
    /// Octets that may come, since they were counted already.
    var advance = 0
    var stream: TCPStream { link.stream }
  }

  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
  nonisolated let infoHash: InfoHash
  nonisolated let around: Surroundings
  nonisolated var handshake: Handshake { Handshake(infoHash: infoHash, peerID: around.peerID) }

  var record: TorrentRecord
  var state = State.paused { didSet { if state != oldValue { around.events.publish(.stateChanged(infoHash, state)) } } }
  var info: TorrentInfo?
  var files: TorrentFiles?
  /// Nil while it is paused or checked.
  var exchange: Exchange?
  /// What is here, as far as it was looked at in this run; nil where it was not.
  var have: Bitfield?
  /// What was here at the end of an earlier run, while nobody has looked.
  var lastSeen: LastSeen?
  /// Files were made in this run, all of them or some.
  var hasMadeFiles = false
  var warning: Warning?
  var links: [PeerNumber: Link] = [:]
  var book: AddressBook
  var calls: Set<SocketAddress> = []
  /// Who waits for a chunk that is being read.
  var reading: [ChunkCache.Key: [PeerNumber]] = [:]
  /// What web seeds are asked for, until nobody waits for it.
  var fetches: [PeerNumber: Cancellation] = [:]
  var announcer: TrackerAnnouncer?
  /// The tracker that answered last, in this run or one before.
  var lastTracker: TrackerURL?
  var decisions: [Decision] = []
  var lastDecision: Int64 = 0
  let upload: RateLimiter
  let download: RateLimiter
  /// Set by whoever made the torrents' place known.
  var door: Door?
  /// Grows with each start and stop, so that what belongs to the run before counts no more.
  var run = 0
  private var life = Life.resting
  /// It belongs to the torrents no more: nobody may start or change it.
  var isRemoved = false
  /// Work on its files.
  let jobs = Pending()
  /// Raised where nobody wants what is being looked at.
  var calledOff = Cancellation()
  /// Trackers that are told of the end: they hear of a new beginning only afterwards, also where the torrent was added anew.
  var farewell = Pending()
  /// What they are told then.
  var lastReport: AnnounceRequest?
  /// The last peer's number: they begin anew with no run, so that nobody takes what was meant for another.
  private var lastPeer: PeerNumber = 0
  /// Octets that were written down last.
  var written: (uploaded: UInt64, downloaded: UInt64) = (0, 0)
  /// For how long more has moved than that.
  var secondsUnwritten = 0
  var meters: (up: RateMeter, down: RateMeter)
  var lastTotals: (up: UInt64, down: UInt64) = (0, 0)

  /// - Parameter info: what the record's info dictionary says; to read a large one takes long.
  init(_ record: TorrentRecord, _ around: Surroundings, info: TorrentInfo?) {
    self.record = record
    self.around = around
    loop = around.loop
    infoHash = record.hash
    let now = Instant.current
    upload = RateLimiter(rate: record.uploadLimit, on: around.loop)
    download = RateLimiter(rate: record.downloadLimit, on: around.loop)
    book = AddressBook(own: Set(around.listening))
    meters = (RateMeter(at: now), RateMeter(at: now))
    written = (record.uploaded, record.downloaded)
    if let info {
      self.info = info
      files = TorrentFiles(info: info, folder: around.folder, openFiles: around.openFiles)
    }
  }

  // MARK: Beginning and ending

  /// Begins, or goes on after a pause.
  func start() {
    switch life {
    // What is ending comes to its end first.
    case .stopping(let end, _): life = .stopping(until: end, startsAgain: true)
    case .running: break
    case .resting: if !isRemoved { startNow() }
    }
  }

  private func startNow() {
    life = .running
    run += 1
    record.isPaused = false
    guard let info, let files else { return begin(nil, Bitfield(pieceCount: 0)) }
    guard let have else { return check(info, files) }
    begin(info, have)
    seeAgain()
  }

  /// Looks at all of its files as if nothing were known of them.
  /// - Returns: false where it is paused, or where no files are known.
  func checkAgain() async -> Bool {
    guard info != nil, !record.isPaused, !isRemoved else { return false }
    await stop(looksAgain: true)
    // To look again is not to say that it may be written over.
    if warning == .foreign { warning = nil }
    if !record.isPaused { start() }
    return true
  }

  /// Also while it stops.
  var isRunning: Bool { if case .resting = life { false } else { true } }
  var isStopping: Bool { if case .stopping = life { true } else { false } }

  func begin(_ info: TorrentInfo?, _ have: Bitfield) {
    let now = Instant.current
    warning = nil
    var settings = Exchange.Settings()
    settings.uploadSlots = around.limits.uploadSlots
    settings.isFreeRider = around.isFreeRider
    settings.listenPort = around.port
    settings.idleTime = around.limits.idleTime
    settings.client = "Network Utopia \(Release.version)"
    let exchange = Exchange(
      infoHash: infoHash, info: info, have: have, wanted: info.map(wantedPieces), peerID: around.peerID,
      settings: settings, random: around.chance, memory: around.pieceMemory, after: lastPeer, at: now)
    self.exchange = exchange
    lastTotals = (0, 0)
    beginWebSeeds()
    state = info == nil ? .fetchingInfo : exchange.isComplete ? .seeding : .downloading
    announce()
    learn(record.peers.compactMap { SocketAddress($0) }, from: .person)
    tick()
    act()
  }

  /// Ends all connections, and waits for what is on its way to the disk; the trackers hear of it then, which nobody waits for here.
  func stop(_ next: State = .paused, looksAgain: Bool = false) async {
    if case .stopping(let end, _) = life {
      life = .stopping(until: end, startsAgain: false)
      while case .stopping(let end, _) = life { await end.wait() }
      // Somebody may have wanted it to begin again meanwhile.
      if isRunning { return }
    }
    guard isRunning else {
      if looksAgain { (have, lastSeen) = (nil, nil) }
      return state = next
    }
    let end = Pending()
    end.begin()
    life = .stopping(until: end, startsAgain: false)
    run += 1
    calledOff.raise()
    calledOff = Cancellation()
    hangUp()
    reading = [:]
    await jobs.wait()
    count()
    if let exchange, exchange.info != nil { have = exchange.picker.have }
    if looksAgain { (have, lastSeen) = (nil, nil) }
    await save()
    takeLeave()
    lastPeer = exchange?.lastNumber ?? lastPeer
    exchange = nil
    for seed in fetches.keys { abandon(seed) }
    files?.close()
    around.cache.forget(infoHash)
    let startsAgain = if case .stopping(_, true) = life { true } else { false }
    life = .resting
    state = next
    end.end()
    if startsAgain { start() }
  }

  /// It stands still until somebody does what the words say.
  /// - Parameter looksAgain: what is here is not known any more: the next start looks.
  func fail(_ reason: any Error, _ run: Int, looksAgain: Bool = false) {
    guard run == self.run else { return }
    warning = Warning(reason) ?? warning
    around.log.error("a torrent stands still", metadata: ["torrent": "\(infoHash)", "reason": "\(reason)"])
    // Who fails is waited for by the stop.
    loop.spawn { await self.end(.failed("\(reason)"), looksAgain: looksAgain, run) }
  }

  func leave(_ run: Int) {
    guard run == self.run else { return }
    record.isPaused = true
    loop.spawn { await self.end(.paused, run) }
  }

  private func end(_ next: State, looksAgain: Bool = false, _ run: Int) async {
    if run == self.run { await stop(next, looksAgain: looksAgain) }
  }

  /// It never begins again, and nobody reads or writes its files when this has returned.
  func remove() async {
    isRemoved = true
    await stop()
    await jobs.wait()
  }

  /// Writes down what has to outlast a restart.
  func save() async {
    written = (record.uploaded, record.downloaded)
    secondsUnwritten = 0
    do {
      try await around.store.update(record)
    } catch {
      around.log.error("a torrent could not be written down", metadata: ["reason": "\(error)"])
    }
  }
}
