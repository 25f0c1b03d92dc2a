import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateStore

/// The index of all users, page by page and as a whole.
@Suite struct RedisUserIndexTests {
    private static let time = KeyGateway.time

    private static func users(_ names: [String]) throws -> [UserID] { try names.map { try #require(UserID($0)) } }

    /// All pages, and what `meanwhile` does after each.
    private static func list(
        _ index: RedisUserIndex, pageSize: Int, meanwhile: ([RedisUserIndex.Entry]) async throws -> Void = { _ in }
    ) async throws -> [String] {
        var (names, last): ([String], RedisUserIndex.Entry?) = ([], nil)
        while true {
            let page = try await index.users(after: last, maximumCount: pageSize)
            names += page.map(\.user.value)
            guard page.count == pageSize, let end = page.last else { return names }
            // As it goes to a client and comes back.
            let place: RedisUserIndex.Entry = try #require(RedisUserIndex.Entry(end.text))
            #expect(place == end)
            last = place
            try await meanwhile(page)
        }
    }

    @Test func thoseWhoCalledLastComeFirst() async throws {
        try await KeyGateway.run { gateway in
            let index = RedisUserIndex(client: gateway.client)
            #expect(try await index.users(after: nil, maximumCount: 10).isEmpty)
            // Also where they called in the same second, by whatever order bytes have.
            let names = ["a", "B", "user_1", "user_10", "user_2", "Z", "_", "|", "a|", "a:b"].sorted { one, other in
                one.utf8.lexicographicallyPrecedes(other.utf8)
            }
            try await index.add(try Self.users(names), at: Self.time)
            try await index.add(try Self.users(["first"]), at: Self.time.adding(seconds: -1))
            try await index.add(try Self.users(["last"]), at: Self.time.adding(seconds: 1))
            for pageSize in 1...13 {
                let found = try await Self.list(index, pageSize: pageSize)
                #expect(found == ["last"] + names.reversed() + ["first"], "pages of \(pageSize)")
            }
        }
    }

    /// The end of a page may be gone or elsewhere when the next is asked for.
    @Test func aListGoesOnWhereItWas() async throws {
        try await KeyGateway.run { gateway in
            let index = RedisUserIndex(client: gateway.client)
            let users = try Self.users((0..<100).map { "user_\($0 + 100)" })
            for (number, user) in users.enumerated() {
                try await index.add([user], at: Self.time.adding(seconds: Int64(number / 4)))
            }
            var page = 0
            let found = try await Self.list(index, pageSize: 7) { entries in
                page += 1
                guard let end = entries.last else { return }
                if page % 2 == 0 {
                    try await index.remove(end.user)
                } else {
                    try await index.add(entries.map(\.user), at: Self.time.adding(seconds: 1000))
                }
                try await index.add(try Self.users(["new_\(page)"]), at: Self.time.adding(seconds: 1000))
            }
            #expect(found == users.reversed().map(\.value), "each once, in their order, and none who came later")
        }
    }

    @Test(arguments: ["", "user_abc", ":user_abc", "1:", "nan:user_abc", "inf:user_abc", "x:user_abc", "1:a b", "1"])
    func whatIsNoPlaceIsNone(text: String) { #expect(RedisUserIndex.Entry(text) == nil) }

    @Test func placesAreWrittenAsTheyAreRead() throws {
        for (text, score) in [("1764198000:a:b", 1_764_198_000), ("0.5:x", 0.5), ("-1:x", -1)] as [(String, Double)] {
            let entry = try #require(RedisUserIndex.Entry(text))
            #expect(entry.score == score && entry.text == text)
        }
    }

    /// As when Redis' table becomes smaller.
    @Test func usersThatAreToldAgainAreLeftOut() throws {
        var scan = UserScan()
        let parts = try (0..<12).map { part in try Self.users((0..<5).map { "user_\(part)_\($0)" }) }
        #expect(scan.took(parts[0] + parts[0], of: "a1", next: "7") == parts[0], "in one part")
        #expect(scan.cursor == "7")
        for part in parts.dropFirst() { #expect(scan.took(part, of: "a1", next: "9") == part) }
        let again = parts.suffix(UserScan.rememberedParts).flatMap(\.self)
        #expect(scan.took(again, of: "a1", next: "0") == [])
        #expect(scan.cursor == nil, "it is over")
    }

    @Test func aPassEndsWithTheRedisThatItBeganWith() async throws {
        var scan = UserScan()
        #expect(scan.took([], of: "a1", next: "3") == [])
        #expect(scan.took([], of: "b2", next: "0") == nil)
        try await KeyGateway.run { gateway in
            let index = RedisUserIndex(client: gateway.client)
            try await index.add(try Self.users((0..<1000).map { "user_\($0)" }), at: Self.time)
            var other = UserScan()
            _ = other.took([], of: "a1", next: "0")
            #expect(try await index.next(of: &other, count: 10) == nil, "over")
            var begun = UserScan()
            _ = begun.took([], of: "a1", next: "3")
            await #expect { _ = try await index.next(of: &begun, count: 10) } throws: { error in
                (error as? StoreUnavailable)?.reason.contains("Begin again") == true
            }
        }
    }
}
