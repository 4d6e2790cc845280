import Glibc
import Octets

/// A file of octets that are the same every time and that nothing compresses.
enum SampleFile {
  static func write(_ size: DataSize, to path: String) throws {
    let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw Trouble.system(path) }
    defer { close(descriptor) }
    var generator = SeededGenerator(seed: 1)
    var left = size.octets
    while left > 0 {
      var octets: [UInt8] = []
      octets.reserveCapacity(65_536)
      while octets.count < 65_536 {
        let number = generator.next()
        for shift in stride(from: UInt64(0), to: 64, by: 8) {
          octets.append(UInt8(truncatingIfNeeded: number >> shift))
        }
      }
      let count = min(left, octets.count)
      guard unsafe Glibc.write(descriptor, octets, count) == count else { throw Trouble.system(path) }
      left -= count
    }
  }
}
