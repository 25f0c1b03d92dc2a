import Testing
import TollgateCore

@Suite struct PlanTableTests {
    private static let free = Plan(name: "free", quota: 5, ratePerMinute: 100)

    @Test func standardPlansAreTheOriginals() {
        let table = PlanTable.standard
        #expect(table["free"] == Self.free)
        #expect(table["paid"] == Plan(name: "paid", quota: 500, ratePerMinute: 100))
        #expect(table.fallback.name == "free")
        #expect(table["gold"] == nil)
    }

    @Test(arguments: [
        ([Plan](), PlanTable.Problem.noFallback),
        ([Plan(name: "paid", quota: 1, ratePerMinute: 1)], .noFallback),
        ([free, free], .duplicate("free")),
        ([Plan(name: "Free", quota: 1, ratePerMinute: 1)], .invalidName("Free")),
        ([Plan(name: "", quota: 1, ratePerMinute: 1)], .invalidName("")),
        (
            [Plan(name: "free", quota: -1, ratePerMinute: 1)],
            .limitOutOfRange(plan: "free", field: "quota", value: -1)
        ),
        (
            [Plan(name: "free", quota: 1, ratePerMinute: Plan.maximumLimit + 1)],
            .limitOutOfRange(plan: "free", field: "ratePerMinute", value: Plan.maximumLimit + 1)
        ),
        ((0...64).map { Plan(name: "p\($0)", quota: 1, ratePerMinute: 1) }, .tooMany(65)),
    ])
    func badTablesAreRefused(plans: [Plan], problem: PlanTable.Problem) {
        #expect(throws: problem) { try PlanTable(plans) }
    }

    @Test(arguments: ["user_2abc", "auth0|123", "a@b.example", String(repeating: "a", count: 128)])
    func identifiersThatAreSafeInAKeyAreTaken(text: String) {
        #expect(UserID(text)?.value == text)
    }

    @Test(arguments: [
        "", "a b", "a}b", "{a", "a\nb", "a\rb", "a\u{0}b", "ä", "a\"b", "a\\b", String(repeating: "a", count: 129),
        ".", "..",
    ])
    func identifiersThatCouldBreakAKeyAreRefused(text: String) {
        #expect(UserID(text) == nil)
    }
}
