@main struct Nameserver {
  static func main() {}
}
