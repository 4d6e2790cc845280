/// The textbook's figure: the time over the number of peers, the bounds as lines and what was measured as points, in SVG.
struct Chart {
  let distribution: Distribution
  let results: [DistributionResult]
  let title: String
  /// How many of the peers give nothing, however many there are.
  var freeRiders = 0

  private static let size = (width: 800.0, height: 500.0)
  private static let margin = (left: 70.0, right: 30.0, top: 60.0, bottom: 60.0)
  private static let colours: [Distribution.Way: String] = [.clientServer: "#b5432a", .peerToPeer: "#1f6f8b"]

  var svg: String {
    let last = max(2, results.map(\.peers).max() ?? 2)
    let curves = Distribution.Way.allCases.map { way in
      (way, (1...last).map { (Double($0), distribution.bound(way, peers: $0, givers: max(0, $0 - freeRiders))) })
    }
    let shown = Set(results.map(\.way))
    let top = (curves.filter { shown.contains($0.0) }.flatMap { $0.1.map(\.1) } + results.map(\.measured)).max() ?? 1
    let scale = Scale(peers: Double(last), seconds: top * 1.05)
    var lines = [
      #"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 500" font-family="sans-serif" font-size="13">"#,
      #"<rect width="800" height="500" fill="white"/>"#,
      #"<text x="70" y="30" font-size="17">\#(escaped(title))</text>"#,
    ]
    lines += axes(scale)
    for (way, curve) in curves where shown.contains(way) {
      let points = curve.map { "\(rounded(scale.x($0.0), 1)),\(rounded(scale.y($0.1), 1))" }.joined(separator: " ")
      lines.append(
        #"<polyline points="\#(points)" fill="none" stroke="\#(Self.colours[way] ?? "black")" stroke-width="2" stroke-dasharray="6 4"/>"#
      )
    }
    for result in results {
      let place = (x: rounded(scale.x(Double(result.peers)), 1), y: rounded(scale.y(result.measured), 1))
      lines.append(
        #"<circle cx="\#(place.x)" cy="\#(place.y)" r="5" fill="\#(Self.colours[result.way] ?? "black")"><title>\#(result.way.rawValue), \#(result.peers) peers: \#(rounded(result.measured, 1)) s of at least \#(rounded(result.bound, 1)) s</title></circle>"#
      )
    }
    lines += legend(shown)
    return lines.joined(separator: "\n") + "\n</svg>\n"
  }

  private struct Scale {
    var peers: Double
    var seconds: Double

    func x(_ peers: Double) -> Double {
      margin.left + (size.width - margin.left - margin.right) * peers / self.peers
    }

    func y(_ seconds: Double) -> Double {
      size.height - margin.bottom - (size.height - margin.top - margin.bottom) * seconds / self.seconds
    }
  }

  private func axes(_ scale: Scale) -> [String] {
    let bottom = Self.size.height - Self.margin.bottom
    var lines = [
      #"<path d="M70 60V\#(rounded(bottom, 1))H770" fill="none" stroke="black"/>"#,
      #"<text x="420" y="485" text-anchor="middle">peers</text>"#,
      #"<text x="20" y="250" text-anchor="middle" transform="rotate(-90 20 250)">seconds until the last has it</text>"#,
    ]
    for peers in ticks(scale.peers) {
      let x = rounded(scale.x(peers), 1)
      lines.append(
        #"<path d="M\#(x) \#(bottom)v5" stroke="black"/><text x="\#(x)" y="\#(bottom + 20)" text-anchor="middle">\#(rounded(peers, 1))</text>"#
      )
    }
    for seconds in ticks(scale.seconds) {
      let y = rounded(scale.y(seconds), 1)
      lines.append(
        #"<path d="M70 \#(y)h-5" stroke="black"/><path d="M70 \#(y)H770" stroke="lightgrey"/><text x="60" y="\#(y)" text-anchor="end" dominant-baseline="middle">\#(rounded(seconds, 1))</text>"#
      )
    }
    return lines
  }

  private func legend(_ shown: Set<Distribution.Way>) -> [String] {
    var y = 75.0
    var lines: [String] = []
    for way in Distribution.Way.allCases where shown.contains(way) {
      let colour = Self.colours[way] ?? "black"
      lines.append(
        #"<path d="M90 \#(y)h30" stroke="\#(colour)" stroke-width="2" stroke-dasharray="6 4"/><circle cx="105" cy="\#(y)" r="5" fill="\#(colour)"/><text x="130" y="\#(y)" dominant-baseline="middle">\#(way.rawValue): measured, and the least that is possible</text>"#
      )
      y += 22
    }
    return lines
  }

  /// Round numbers, about six of them.
  private func ticks(_ end: Double) -> [Double] {
    var step = 1.0
    while end / step > 60 { step *= 10 }
    while end / step < 0.6 { step /= 10 }
    for factor in [1.0, 2, 5, 10] where end / (step * factor) <= 7 {
      return Array(stride(from: step * factor, through: end, by: step * factor))
    }
    return [end]
  }

  private func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
  }
}
