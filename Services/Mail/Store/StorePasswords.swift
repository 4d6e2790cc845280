import EventLoop
import ServiceKit

extension Store.Passwords {
  /// scrypt, hashed in the pool; a password that was right is remembered for a minute.
  static func scrypt(in pool: BlockingPool) throws -> Store.Passwords {
    let verified = try VerifiedPasswords()
    return Store.Passwords(
      hash: { password in try await pool.run { try Passwords.hash(Array(password.utf8)) } },
      verify: { password, secret in
        let octets = Array(password.utf8)
        if verified.contains(octets, secret) { return true }
        let isRight = try await pool.run { Passwords.verify(octets, against: secret) }
        if isRight { verified.insert(octets, secret) }
        return isRight
      })
  }
}
