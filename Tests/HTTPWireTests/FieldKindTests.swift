import HTTPWire
import NIOCore
import Testing

/// A field is believed under one spelling of its name, in whatever case.
@Suite struct FieldKindTests {
    private func kind(_ name: String) throws -> FieldKind {
        let text = "GET / HTTP/1.1\r\n\(name): 1\r\n\r\n"
        return try #require(try RequestHead(parsing: ByteBuffer(string: text)).fields.lines.first).kind
    }

    private static let ours: [(String, FieldKind)] = [
        ("X-Tollgate-User", .identity), ("X-Tollgate-Anything", .identity), ("X-Forwarded-For", .forwardedFor),
        ("X-Forwarded-Host", .forwardedHost), ("X-Forwarded-Proto", .forwardedProto),
        ("X-Forwarded-Prefix", .forwardedPrefix), ("X-Forwarded-Port", .forwardedAsTold),
        ("X-Real-IP", .forwardedAsTold), ("X-Forwarded-Uri", .forwarded), ("X-Forwarded-Server", .forwarded),
        ("X-Original-URI", .forwarded), ("X-Original-URL", .forwarded), ("X-Original-Host", .forwarded),
        ("X-Original-Method", .forwarded), ("X-Rewrite-URL", .forwarded), ("X-API-Key", .apiKey),
        ("Idempotency-Key", .idempotencyKey), ("X-Request-Id", .requestID), ("Keep-Alive", .hopByHop),
        ("Proxy-Authorization", .hopByHop), ("Proxy-Connection", .hopByHop),
    ]

    @Test(arguments: ours)
    func otherSpellingsCountForNothing(name: String, expected: FieldKind) throws {
        #expect(try kind(name) == expected)
        #expect(try kind(name.lowercased()) == expected)
        #expect(try kind(name.uppercased()) == expected)
        for separator in ["_", ".", "~", "!", "|", "+"] {
            #expect(try kind(name.replacing("-", with: separator)) == .misspelt, "all are \(separator)")
            let last = try #require(name.lastIndex(of: "-"))
            #expect(try kind(name.replacingCharacters(at: last, with: separator)) == .misspelt, "one is \(separator)")
        }
    }

    @Test func otherNamesPassInEverySpelling() throws {
        for name in [
            "X-Original-Filename", "X_Custom", "X.Custom", "Content_Type", "Accept", "X-Tollgate", "X-Forwarded",
            "Tollgate-User", "ForwardedX", "X_Api", "Content_Location", "Authorization_",
        ] {
            #expect(try kind(name) == .endToEnd, "\(name)")
        }
        #expect(try kind("Authorization") == .authorization && kind("Forwarded") == .forwardedElements)
        #expect(try kind("Via") == .via && kind("Date") == .date && kind("Location") == .location)
    }

    @Test func valuesAreNotFolded() throws {
        let head = try RequestHead(
            parsing: ByteBuffer(string: "GET / HTTP/1.0\r\nConnection: keep_alive\r\nX_Name: 1\r\n\r\n"))
        #expect(!head.isKeptAlive)
        #expect(head.fields.first(named: "x-name") == nil && head.fields.first(named: "x_name") == "1")
    }
}

extension String {
    fileprivate func replacingCharacters(at index: Index, with text: String) -> String {
        self[..<index] + text + self[self.index(after: index)...]
    }
}
