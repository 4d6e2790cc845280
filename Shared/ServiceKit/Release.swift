/// What `--version` says of every executable.
public enum Release {
  public static let version = "0.1.0"
}
