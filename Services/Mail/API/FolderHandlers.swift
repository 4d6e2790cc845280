import HTTPServer
import HTTPWire
import Octets
import ServiceKit

/// `/v1/mailboxes/{address}/folders`
extension MailAPI {
  func listFolders(_ request: Request) async throws -> Response {
    let mailbox = try await access.mailbox(request)
    return try .encode(Page(items: try await sorted(mailbox).map(FolderView.init)))
  }

  func createFolder(_ request: Request) async throws -> Response {
    let mailbox = try await access.mailbox(request)
    let name = try await MailAPI.folderName(request)
    let folder = try await asking("name") { try await store.createFolder(mailbox.id, name) }
    return try .created(
      FolderView(folder), at: "\(MailAPI.url(mailbox))/folders/\(PercentEncoding.encode(folder.name))"
    ).tagged(folder.tag)
  }

  func getFolder(_ request: Request) async throws -> Response {
    let mailbox = try await access.mailbox(request)
    let name = request.folder
    guard let folder = try await store.folders(mailbox.id).first(where: { $0.name == name }) else {
      throw Problem.notFound("folder \(name)")
    }
    return try request.unlessHeld(folder.tag) { try .encode(FolderView(folder)) }
  }

  func renameFolder(_ request: Request) async throws -> Response {
    let mailbox = try await access.mailbox(request)
    let name = try await MailAPI.folderName(request)
    let folder = try await asking {
      try await store.renameFolder(mailbox.id, request.folder, to: name, demand: request.demand())
    }
    return try .encode(FolderView(folder)).tagged(folder.tag)
  }

  func deleteFolder(_ request: Request) async throws -> Response {
    let mailbox = try await access.mailbox(request)
    try await asking {
      try await store.deleteFolder(mailbox.id, request.folder, demand: request.demand())
    }
    return .empty()
  }

  /// The four that every mailbox has, then one's own by name.
  private func sorted(_ mailbox: MailboxRecord) async throws -> [FolderRecord] {
    let folders = try await store.folders(mailbox.id)
    let fixed = Store.folders.compactMap { name in folders.first { $0.name == name } }
    return fixed + folders.filter { !Store.folders.contains($0.name) }.sorted { $0.name < $1.name }
  }

  /// The name in the body. IMAP gives `*`, `%` and `/` a meaning of their own, and `*` means all folders here.
  private static func folderName(_ request: Request) async throws -> String {
    let name = try await request.checked(NewFolder.self).name.composed
    guard 1...100 ~= name.unicodeScalars.count,
      name.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F && !"*%/\\".unicodeScalars.contains($0) }),
      name.first?.isWhitespace == false, name.last?.isWhitespace == false, name != ".", name != ".."
    else {
      throw Problem.invalid(
        field: "name", "has 1 to 100 characters, no controls and none of * % / \\, and no blank at either end")
    }
    return name
  }
}

extension Request {
  /// The folder of the path. The store knows names in their composed form.
  fileprivate var folder: String { parameter("folder").composed }
}
