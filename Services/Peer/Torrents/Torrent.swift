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
  var decisions: [Decision] = []
  var lastDecision: Int64 = 0
  let upload: RateLimiter
  let download: RateLimiter
  /// Set by whoever made the torrents' place known.
  var door: Door?
  /// Grows with each start and stop, so that what belongs to the run before counts no more.
  var run = 0
  /// A stop that has not come to its end, and whether somebody wants it to begin again then.
  let stopping = Pending()
  private var startsAgain = false
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
  private var written: (uploaded: UInt64, downloaded: UInt64) = (0, 0)
  private var meters: (up: RateMeter, down: RateMeter)
  private var lastTotals: (up: UInt64, down: UInt64) = (0, 0)

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
    // What is ending comes to its end first.
    guard stopping.isEmpty else { return startsAgain = true }
    guard !isRunning, !isRemoved else { return }
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

  var isRunning: Bool {
    switch state {
    case .paused, .failed: false
    case .fetchingInfo, .checking, .downloading, .seeding: true
    }
  }

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
    if !stopping.isEmpty {
      startsAgain = false
      await stopping.wait()
      // Somebody may have wanted it to begin again meanwhile.
      if isRunning { return }
    }
    guard isRunning else {
      if looksAgain { (have, lastSeen) = (nil, nil) }
      return state = next
    }
    stopping.begin()
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
    state = next
    stopping.end()
    if startsAgain {
      startsAgain = false
      start()
    }
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
    do {
      try await around.store.update(record)
    } catch {
      around.log.error("a torrent could not be written down", metadata: ["reason": "\(error)"])
    }
  }

  // MARK: Time

  private func tick() {
    let run = run
    loop.after(.seconds(1)) { [weak self] in
      self?.assumeIsolated { torrent in
        guard torrent.run == run else { return }
        torrent.eachSecond()
        torrent.tick()
      }
    }
  }

  private func eachSecond() {
    let now = Instant.current
    exchange?.tick(at: now)
    act()
    count()
    callMore(at: now)
    let (down, up) = rates
    if down + up > 0 {
      around.events.publish(
        .rates(infoHash, download: down, upload: up, pieces: exchange?.picker.have.held ?? 0))
    }
    // Whom it knows already it calls first.
    if state == .downloading, links.count < 5, !book.hasDue(at: now) { announcer?.assumeIsolated { $0.wantsPeers() } }
    if record.uploaded &- written.uploaded > 64 << 20 || record.downloaded &- written.downloaded > 64 << 20 {
      loop.spawn { await self.save() }
    }
  }

  /// Adds what has moved since the last time to the totals.
  func count() {
    guard let exchange else { return }
    let now = Instant.current
    let (up, down) = (exchange.uploaded - lastTotals.up, exchange.downloaded - lastTotals.down)
    lastTotals = (exchange.uploaded, exchange.downloaded)
    record.uploaded += up
    record.downloaded += down
    meters.up.add(Int(up), at: now)
    meters.down.add(Int(down), at: now)
  }

  /// Octets a second.
  var rates: (download: Int, upload: Int) {
    let now = Instant.current
    return (Int(meters.down.rate(at: now, over: Self.span)), Int(meters.up.rate(at: now, over: Self.span)))
  }

  /// Seconds over which people are told a rate.
  private static let span = 5

  // MARK: Doing what was decided

  func act() {
    guard let exchange else { return }
    for action in exchange.takeActions() {
      // What is decided while it stops is told, and nothing more.
      if case .tell = action {} else if !stopping.isEmpty { continue }
      act(on: action)
    }
  }

  private func act(on action: ExchangeAction) {
    switch action {
    case .send(let peer, let message): send(message, to: peer)
    case .serve(let peer): serve(peer)
    case .store(let piece, let blocks): keep(piece, blocks)
    case .fetch(let seed, let piece): fetch(piece, from: seed)
    case .abandon(let seed): abandon(seed)
    case .close(let peer, let end): hangUp(peer, end)
    case .met(let addresses): learn(addresses, from: .peers)
    case .checkMetadata(let octets): check(metadata: octets)
    case .tell(let event): tell(event)
    }
  }

  private func tell(_ event: ExchangeEvent) {
    if case .completed = event { complete() } else { note(event) }
  }

  private func note(_ event: ExchangeEvent) {
    lastDecision += 1
    decisions.append(Decision(id: lastDecision, time: around.clock.now.seconds, event: event))
    // In one go now and then: to shift all of them for each new one would cost more than keeping a few too many.
    if decisions.count > around.limits.decisions * 2 {
      decisions.removeFirst(decisions.count - around.limits.decisions)
    }
    around.events.publish(.exchange(infoHash, event))
  }

  /// False where something is missing again meanwhile.
  func becomeSeeder() -> Bool {
    guard let exchange, exchange.isComplete, state == .downloading else { return false }
    note(.completed)
    state = .seeding
    record.completedAt = around.clock.now.seconds
    around.log.info("a torrent is complete", metadata: ["torrent": "\(infoHash)", "name": "\(info?.name ?? "")"])
    // To trackers, all of it counts.
    if exchange.picker.have.isFull { announcer?.assumeIsolated { $0.completed() } }
    return true
  }

  // MARK: What is wanted

  func wantedFiles(of info: TorrentInfo) -> [Bool] { info.files.indices.map { !record.unwanted.contains($0) } }

  /// The pieces in which a wanted file has a part.
  func wantedPieces(of info: TorrentInfo) -> Bitfield {
    guard !record.unwanted.isEmpty else { return Bitfield(pieceCount: info.pieceCount, isFull: true) }
    var pieces = Bitfield(pieceCount: info.pieceCount)
    for (number, file) in info.files.enumerated() where file.length > 0 && !record.unwanted.contains(number) {
      let first = Int(file.offset / Int64(info.pieceLength))
      let last = Int((file.offset + file.length - 1) / Int64(info.pieceLength))
      for piece in first...last { pieces[piece] = true }
    }
    return pieces
  }
}
