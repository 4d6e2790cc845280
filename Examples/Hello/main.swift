// The HTTP server as a library: `swift run Hello`, then `curl http://127.0.0.1:8080/hello/Alice`.
import EventLoop
import HTTPServer
import Octets

let router = Router()
router.before(RateLimit(perSecond: 1000, burst: 1000).check)
router.get("/hello/{name}") { request in .text("Hello, \(request.parameter("name")).\n") }
router.post("/count") { request in
  var octets = 0
  for try await portion in request.body { octets += portion.count }
  return .text("\(octets) octets\n")
}
let loop = try EventLoop()
let address = try HTTPServer(router: router).listen(on: SocketAddress(ip: .loopbackV4, port: 8080), loops: [loop])
print("http://\(address)/")
loop.run()
