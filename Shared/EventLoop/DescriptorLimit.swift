import CLinux

/// How many descriptors the process may have.
public enum DescriptorLimit {
  /// Raises the soft limit to the hard one: the soft one is low (1024) only for the sake of programs that call `select`.
  /// - Returns: the limit now; 0 where it can't be read.
  @discardableResult
  public static func raise() -> Int { Int(clamping: clinux_raise_descriptor_limit()) }
}
