import COpenSSL
import EventLoop
import Octets

/// Passwords at rest: scrypt (RFC 7914) with a salt each, in the text form `scrypt$N$r$p$SALT$KEY`.
///
/// Both calls take tens of milliseconds on purpose: make them in `Service.passwordPool`.
public enum Passwords {
  private static let cost: UInt64 = 16_384
  private static let blockSize: UInt64 = 8
  private static let parallelism: UInt64 = 1
  private static let memoryLimit: UInt64 = 64 << 20

  public static func hash(_ password: [UInt8]) throws -> String {
    let salt = try Secrets.random(16)
    let key = try derive(password, salt, cost, blockSize, parallelism)
    return "scrypt$\(cost)$\(blockSize)$\(parallelism)$\(text(salt))$\(text(key))"
  }

  /// Whether the password is the one that was hashed; false for a text that is no hash.
  public static func verify(_ password: [UInt8], against hash: String) -> Bool {
    let parts = hash.split(separator: "$", omittingEmptySubsequences: false)
    guard parts.count == 6, parts[0] == "scrypt", let cost = UInt64(parts[1]), let blockSize = UInt64(parts[2]),
      let parallelism = UInt64(parts[3]), let salt = Base64.decode(Array(parts[4].utf8)),
      let key = Base64.decode(Array(parts[5].utf8)),
      let derived = try? derive(password, salt, cost, blockSize, parallelism)
    else { return false }
    return Secrets.areEqual(key, derived)
  }

  private static func text(_ octets: [UInt8]) -> String { String(decoding: Base64.encode(octets), as: UTF8.self) }

  private static func derive(
    _ password: [UInt8], _ salt: [UInt8], _ cost: UInt64, _ blockSize: UInt64, _ parallelism: UInt64
  ) throws -> [UInt8] {
    var key = [UInt8](repeating: 0, count: 32)
    let count = key.count
    let result = unsafe password.withUnsafeBytes { password in
      unsafe EVP_PBE_scrypt(
        password.bindMemory(to: CChar.self).baseAddress, password.count, salt, salt.count, cost, blockSize, parallelism,
        memoryLimit, &key, count)
    }
    guard result == 1 else { throw SecretsError.failed }
    return key
  }
}

public enum SecretsError: Error { case failed }

/// What must not be guessed or leaked through time.
public enum Secrets {
  /// Octets from OpenSSL's generator.
  public static func random(_ count: Int) throws -> [UInt8] {
    var octets = [UInt8](repeating: 0, count: count)
    guard unsafe RAND_bytes(&octets, Int32(count)) == 1 else { throw SecretsError.failed }
    return octets
  }

  /// A token of 256 bits that is safe in URLs and headers.
  public static func token() throws -> String { String(decoding: Base64.encodeURL(try random(32)), as: UTF8.self) }

  /// Compares in a time that depends on the lengths alone.
  public static func areEqual(_ one: [UInt8], _ other: [UInt8]) -> Bool {
    one.count == other.count && (unsafe CRYPTO_memcmp(one, other, one.count)) == 0
  }

  /// SHA-256: what a token is stored as.
  public static func digest(_ octets: [UInt8]) throws -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    var length: UInt32 = 0
    guard unsafe EVP_Digest(octets, octets.count, &digest, &length, EVP_sha256(), nil) == 1 else {
      throw SecretsError.failed
    }
    return digest
  }

  /// SHA-1, where a protocol has it for a name; nothing here rests on its strength.
  public static func sha1(_ octets: some Collection<UInt8>) throws -> [UInt8] {
    let octets = Array(octets)
    var digest = [UInt8](repeating: 0, count: 20)
    var length: UInt32 = 0
    guard unsafe EVP_Digest(octets, octets.count, &digest, &length, EVP_sha1(), nil) == 1 else {
      throw SecretsError.failed
    }
    return digest
  }

  /// HMAC-SHA-256.
  public static func authenticationCode(_ octets: [UInt8], key: [UInt8]) throws -> [UInt8] {
    var code = [UInt8](repeating: 0, count: 32)
    var length: UInt32 = 0
    guard unsafe HMAC(EVP_sha256(), key, Int32(key.count), octets, octets.count, &code, &length) != nil else {
      throw SecretsError.failed
    }
    return code
  }
}

/// Remembers for a short while that a password was right, so that a client that sends it with every request costs one scrypt a minute.
public final class VerifiedPasswords: Sendable {
  private struct State {
    var entries: [[UInt8]: Instant] = [:]
  }

  private static let lifetime = Duration.seconds(60)
  private static let limit = 10_000
  private let key: [UInt8]
  private let state = Lock(State())

  public init() throws { key = try Secrets.random(32) }

  /// Whether `password` was verified against `hash` within the last minute.
  public func contains(_ password: [UInt8], _ hash: String) -> Bool {
    guard let code = code(password, hash) else { return false }
    return state.withLock { ($0.entries[code] ?? Instant(nanoseconds: 0)) > .current }
  }

  public func insert(_ password: [UInt8], _ hash: String) {
    guard let code = code(password, hash) else { return }
    state.withLock { state in
      if state.entries.count >= Self.limit { state.entries.removeAll() }
      state.entries[code] = Instant.current + Self.lifetime
    }
  }

  /// What is kept says nothing about the password to who reads this process's memory later, without the key.
  private func code(_ password: [UInt8], _ hash: String) -> [UInt8]? {
    try? Secrets.authenticationCode(password + [0] + Array(hash.utf8), key: key)
  }
}
