import Testing
import TollgateCore

@Suite struct TicketTests {
    private static func ticket(of user: String) throws -> Ticket {
        let secret = (0..<Ticket.secretByteCount).map { UInt8($0) }
        let owner = try #require(UserID(user))
        return try #require(Ticket(owner: owner, secret: secret))
    }

    @Test(arguments: ["u", "user_2abcDEF", "a@b.example|c+d=e:f", String(repeating: "x", count: UserID.maximumLength)])
    func itTellsItsUser(user: String) throws {
        let ticket = try Self.ticket(of: user)
        #expect(ticket.text.utf8.allSatisfy { "0123456789abcdefghjkmnpqrstvwxyz_".utf8.contains($0) }, "fit for a URL")
        #expect(Ticket(ticket.text) == ticket)
        #expect(ticket.owner.value == user)
    }

    @Test func whatHasAnotherFormIsNone() throws {
        let text = try Self.ticket(of: "user_abc").text
        for index in text.indices {
            #expect(Ticket(text[..<index]) == nil, "cut off")
            #expect(Ticket(text.replacingCharacter(at: index, with: "u")) == nil, "no letter of the alphabet")
        }
        for other in ["", "tkt_", "tkt__", text + "0", "x" + text, text + String(repeating: "0", count: 10_000)] {
            #expect(Ticket(other) == nil)
        }
        let owner = try #require(UserID("user_abc"))
        #expect(Ticket(owner: owner, secret: [1, 2, 3]) == nil)
    }

    @Test func itsDescriptionsTellNoSecret() throws {
        let ticket = try Self.ticket(of: "user_abc")
        let secret = ticket.text.suffix(20)
        var dumped = ""
        dump(ticket, to: &dumped)
        for text in ["\(ticket)", String(reflecting: ticket), dumped] { #expect(!text.contains(secret)) }
    }
}

extension String {
    fileprivate func replacingCharacter(at index: Index, with other: Character) -> String {
        String(self[..<index]) + String(other) + self[self.index(after: index)...]
    }
}

@Suite struct QueryParameterTests {
    private let parameter = QueryParameter(name: "t")

    @Test(
        arguments: [
            ("/a", [], "/a"), ("/a?", [], "/a?"), ("/a?t", [""], "/a"), ("/a?t=", [""], "/a"), ("/a?t=1", ["1"], "/a"),
            ("/a?x=1&t=2", ["2"], "/a?x=1"), ("/a?t=2&x=1", ["2"], "/a?x=1"), ("/a?x=1&t=2&y", ["2"], "/a?x=1&y"),
            ("/a?t=1&t=2", ["1", "2"], "/a"), ("/a?x=t=1&tt=2&xt=3", [], "/a?x=t=1&tt=2&xt=3"),
            ("/t=1?t=%20?", ["%20?"], "/t=1"),
            ("/a?&t=1&", ["1"], "/a?&"), ("/a?T=1", [], "/a?T=1"),
        ] as [(String, [String], String)])
    func isFoundAndTakenOut(target: String, values: [String], rest: String) {
        #expect(parameter.values(in: target).map(String.init) == values)
        #expect(parameter.removed(from: target) == rest)
    }
}
