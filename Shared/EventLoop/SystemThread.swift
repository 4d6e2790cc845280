import CLinux
import Glibc

/// A detached thread of the operating system.
public enum SystemThread {
  private final class Start {
    let name: String
    let body: @Sendable () -> Void
    init(name: String, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }

  /// Runs `body` on a thread of its own. The kernel shows 15 octets of its name.
  public static func spawn(name: String, _ body: @escaping @Sendable () -> Void) throws(IOError) {
    var thread = pthread_t()
    var attributes = pthread_attr_t()
    unsafe pthread_attr_init(&attributes)
    unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    defer { unsafe pthread_attr_destroy(&attributes) }
    let start = unsafe Unmanaged.passRetained(Start(name: name, body: body))
    let result = unsafe pthread_create(
      &thread, &attributes,
      { argument in
        guard let argument = unsafe argument else { return nil }
        let start = unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
        unsafe clinux_name_thread(start.name)
        start.body()
        return nil
      }, start.toOpaque())
    guard result == 0 else {
      unsafe start.release()
      throw .system(call: "pthread_create", errno: result)
    }
  }

  /// Processors that this process may run on: its affinity, cut to its control group's quota.
  public static var availableProcessors: Int {
    let affinity = Int(clinux_affinity_count())
    guard let quota = controlGroupQuota() else { return max(1, affinity) }
    return max(1, min(affinity, quota))
  }

  /// `cpu.max` of control groups version 2, rounded up; nil where there is no limit.
  private static func controlGroupQuota() -> Int? {
    let descriptor = unsafe open("/sys/fs/cgroup/cpu.max", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var text = [UInt8](repeating: 0, count: 64)
    let count = unsafe read(descriptor, &text, text.count)
    guard count > 0 else { return nil }
    let words = String(decoding: text[..<count], as: UTF8.self).split { $0 == " " || $0 == "\n" }
    guard words.count == 2, let quota = Int(words[0]), let period = Int(words[1]), period > 0 else { return nil }
    return (quota + period - 1) / period
  }
}
