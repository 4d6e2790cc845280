/// Why just this is asked for.
enum PickReason: Equatable, Sendable {
  /// A piece that is begun is finished first: nothing of it can be given on before it is whole.
  case begun
  /// The first pieces are any at all: rare ones are slow to come, and there has to be something to give (BEP 3).
  case random
  /// No piece is had by fewer peers: `peers` have it, and `equals` are equally rare.
  case rarest(peers: Int, equals: Int)
  /// The peer gives it even to those that it chokes (BEP 6).
  case allowedFast
  /// It came out bad before, from several peers: all of it is asked of one.
  case again
  /// All that is missing was asked for: it is asked of others too, and cancelled when one has given it (BEP 3).
  case endgame
  /// It is slow to come from whom it was asked of, and this peer has nothing else to give.
  case slow
}

extension PickReason {
  var name: String {
    switch self {
    case .begun: "begun"
    case .random: "random"
    case .rarest: "rarest"
    case .allowedFast: "allowed_fast"
    case .again: "again"
    case .endgame: "endgame"
    case .slow: "slow"
    }
  }
}
