import Glibc
import ServiceKit

/// The folder that holds a world: each host's data, the logs, the administrator's token, and who runs it.
struct WorldDirectory: Sendable {
  let path: String

  /// With the name of the default folder for world N, unless one was given.
  init(_ given: String?, net: UInt8) {
    path = given ?? (net == 0 ? ".utopia" : ".utopia-\(net)")
  }

  var tokenFile: String { "\(path)/admin-token" }
  var supervisorLog: String { "\(path)/log/utopia.log" }
  func folder(of host: Host) -> String { "\(path)/\(host.name)" }
  func log(of host: Host) -> String { "\(path)/log/\(host.name).log" }
  private var lockFile: String { "\(path)/utopia.pid" }
  private var settingsFile: String { "\(path)/settings" }

  func make() throws(Trouble) {
    try Files.makeFolder(path + "/log")
  }

  // MARK: The token

  /// The administrator's token: of the environment, of the file, or a new one, which is then in the file.
  func makeToken() throws(Trouble) -> String {
    if let token = try token() { return token }
    do {
      // Of containers that start together on one volume, one makes it and the others have the same.
      let made = try AdminToken.kept(in: tokenFile)
      return String(decoding: made.value, as: UTF8.self)
    } catch {
      throw Trouble("\(error)")
    }
  }

  func token() throws(Trouble) -> String? {
    if let token = Environment["UTOPIA_ADMIN_TOKEN"], !token.isEmpty { return token }
    guard let text = try Files.read(tokenFile) else { return nil }
    let token = text.split(whereSeparator: \.isWhitespace).first.map(String.init)
    guard let token else { throw Trouble("\(tokenFile) is empty; remove it to get a new token") }
    return token
  }

  // MARK: How it ended

  private var endFile: String { "\(path)/log/ended" }

  /// Writes down why a world ended by itself, for whoever comes back to it in the morning.
  func rememberEnd(_ reason: String) {
    let now = WorldTime(seconds: Int64(time(nil)))
    try? Files.write("\(now): \(reason)\n", to: endFile)
  }

  func forgetEnd() { Files.remove(endFile) }

  /// When and why the last world here ended, where it did so by itself.
  func lastEnd() -> String? {
    (try? Files.read(endFile))?.split(separator: "\n").first.map(String.init)
  }

  // MARK: Who runs it

  /// Takes the folder for this process, until it ends; nil when another launcher has it.
  func lock() throws(Trouble) -> Bool {
    let descriptor = unsafe open(lockFile, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw .system(lockFile) }
    // Who asks for the runner holds the lock for a moment.
    var tries = 0
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      let code = errno
      tries += 1
      if code == EWOULDBLOCK, tries < 20 {
        usleep(10_000)
        continue
      }
      close(descriptor)
      if code == EWOULDBLOCK { return false }
      throw .system(lockFile)
    }
    // The descriptor stays open on purpose: the lock ends with the process, however it ends.
    ftruncate(descriptor, 0)
    let text = Array("\(getpid())\n".utf8)
    guard unsafe write(descriptor, text, text.count) == text.count else { throw .system(lockFile) }
    return true
  }

  /// The process that runs the world; nil when none does.
  func runner() throws(Trouble) -> pid_t? {
    let descriptor = unsafe open(lockFile, O_RDWR | O_CLOEXEC)
    if descriptor < 0, errno == ENOENT { return nil }
    guard descriptor >= 0 else { throw .system(lockFile) }
    defer { close(descriptor) }
    if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return nil }
    guard let text = try Files.read(lockFile), let process = pid_t(text.prefix { $0.isNumber }) else { return nil }
    return process
  }

  // MARK: Which world

  /// The settings of the last `up`, which the other commands need not repeat.
  func settings() throws(Trouble) -> Settings? {
    try Files.read(settingsFile).flatMap { Settings($0) }
  }

  func remember(_ settings: Settings) throws(Trouble) {
    try Files.write(settings.text, to: settingsFile)
  }
}

/// Which world a data folder holds: lines of `key value`.
struct Settings: Equatable, Sendable {
  var net: UInt8
  /// The path of the world file; nil for the default world.
  var world: String?
  /// The address of the REST interfaces, where it was given.
  var doors: String?

  init(net: UInt8, world: String?, doors: String?) {
    self.net = net
    self.world = world
    self.doors = doors
  }

  init?(_ text: String) {
    var values: [Substring: String] = [:]
    for line in text.split(separator: "\n") {
      let parts = line.split(separator: " ", maxSplits: 1)
      if parts.count == 2 { values[parts[0]] = String(parts[1]) }
    }
    guard let net = values["net"].flatMap({ UInt8($0) }) else { return nil }
    self.init(net: net, world: values["world"], doors: values["doors"])
  }

  var text: String {
    "net \(net)\n" + (world.map { "world \($0)\n" } ?? "") + (doors.map { "doors \($0)\n" } ?? "")
  }
}

/// The variables that this process was started with.
enum Environment {
  static subscript(name: String) -> String? {
    unsafe getenv(name).map { unsafe String(cString: $0) }
  }
}
