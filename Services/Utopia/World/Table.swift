/// Rows of text in columns as wide as their widest cell, for a terminal.
struct Table: Sendable {
  private var rows: [[String]]

  init(_ heading: [String]) { rows = [heading] }

  mutating func add(_ cells: String...) { rows.append(cells) }

  /// One line a row, each ended by a line feed, without blanks at its end.
  var text: String {
    let columns = rows.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in
      rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
    }
    return rows.map { row in
      var line = ""
      for (column, cell) in row.enumerated() {
        line += cell + String(repeating: " ", count: widths[column] - cell.count + 2)
      }
      while line.last == " " { line.removeLast() }
      return line + "\n"
    }.joined()
  }
}

extension World {
  /// Every host with its addresses and its door.
  var table: String {
    var table = Table(["HOST", "WHAT", "WIRE", "REST"])
    for host in hosts { table.add(host.name, host.about, wire(of: host), url(of: host)) }
    return table.text
  }
}
