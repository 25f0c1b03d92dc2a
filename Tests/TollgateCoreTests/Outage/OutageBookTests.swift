import Testing
import TollgateCore

/// Calls that have passed, until they are booked.
@Suite struct OutageBookTests {
    private typealias Batch = OutageBook.Batch
    private typealias Line = OutageBook.Line

    /// 2025-11-30T23:00:00Z
    private static let time = UnixTime(seconds: 1_764_543_600)
    private static let lastOfNovember = CalendarDay(year: 2025, month: 11, day: 30)
    private static let firstOfDecember = CalendarDay(year: 2025, month: 12, day: 1)

    private static func user(_ name: String = "user_abc") throws -> UserID { try #require(UserID(name)) }

    private static func passed(
        _ book: inout OutageBook, _ user: UserID, calls: Int = 1, route: String = "api", after seconds: Int64 = 0
    ) -> Bool {
        book.passed(user, calls: calls, route: route, at: time.adding(seconds: seconds))
    }

    @Test func callsAreAddedUpByDayAndRoute() throws {
        var (book, user) = (OutageBook(), try Self.user())
        for (calls, route, after) in [(1, "b", Int64(3600)), (2, "a", 0), (3, "b", 0), (4, "a", 1), (5, "b", 7200)] {
            #expect(Self.passed(&book, user, calls: calls, route: route, after: after))
        }
        #expect(book.waitingCalls == 15)
        let batch = Batch(
            userID: user, number: 1,
            lines: [
                Line(day: Self.lastOfNovember, route: "a", calls: 6),
                Line(day: Self.lastOfNovember, route: "b", calls: 3),
                Line(day: Self.firstOfDecember, route: "b", calls: 6),
            ])
        #expect(book.due(at: 0, limit: 10) == [batch])
        #expect(book.due(at: 1_000_000, limit: 10).isEmpty, "the store is being asked")
        #expect(book.answered(batch, .booked, at: 1) == .booked)
        #expect(book.isEmpty && book.waitingCalls == 0)
    }

    @Test func whatCostsNothingIsNotWrittenDown() throws {
        var book = OutageBook()
        #expect(Self.passed(&book, try Self.user(), calls: 0))
        #expect(book.isEmpty)
    }

    /// A batch that may have been taken must stay as it is, or the store would count its calls twice or never.
    @Test(arguments: [true, false]) func aBatchIsToldAgainAsItIs(mayBeDone: Bool) throws {
        var (book, user) = (OutageBook(), try Self.user())
        _ = Self.passed(&book, user)
        let batch = try #require(book.due(at: 0, limit: 10).first)
        _ = Self.passed(&book, user, calls: 5)
        #expect(book.due(at: 0, limit: 10).isEmpty, "of one user there is one batch at a time")
        for moment in stride(from: Int64(0), to: 10_000, by: 1000) {
            #expect(book.answered(batch, .unreachable(mayBeDone: mayBeDone), at: moment) == nil)
            #expect(book.due(at: moment + 999, limit: 10).isEmpty)
            #expect(book.due(at: moment + 1000, limit: 10) == [batch])
            #expect(book.waitingCalls == 6)
        }
        #expect(book.answered(batch, .booked, at: 10_001) == .booked)
        let next = try #require(book.due(at: 10_001, limit: 10).first)
        #expect(next.number > batch.number && next.calls == 5)
        #expect(book.answered(batch, .booked, at: 10_002) == nil, "an answer to an earlier one ends nothing")
        #expect(book.answered(next, .booked, at: 10_002) == .booked)
        #expect(book.isEmpty && book.waitingCalls == 0)
    }

    @Test func whatIsAnsweredWithAnErrorWaitsLongerAndHoldsUpNobody() throws {
        var book = OutageBook()
        for name in ["user_abc", "user_def"] { _ = Self.passed(&book, try Self.user(name)) }
        let batches = book.due(at: 0, limit: 10)
        #expect(batches.count == 2)
        #expect(book.answered(batches[0], .failed, at: 0) == nil)
        #expect(book.answered(batches[1], .booked, at: 0) == .booked)
        #expect(book.due(at: 59_999, limit: 10).isEmpty)
        #expect(book.due(at: 60_000, limit: 10) == [batches[0]])
        #expect(!book.isEmpty && book.waitingCalls == 1)
    }

    @Test func batchesAreLimitedAndNumbersGrow() throws {
        var book = OutageBook()
        for number in 0..<10 { _ = Self.passed(&book, try Self.user("user_\(number)")) }
        let routes = OutageBook.maximumBatchLines + 1
        for route in 0..<routes { _ = Self.passed(&book, try Self.user("user_many"), route: "route-\(route)") }
        #expect(book.due(at: 0, limit: 1).count == 1)
        var seen: [UserID: Int] = [:]
        var calls = 0
        for _ in 0..<3 {
            for batch in book.due(at: 10, limit: 100) {
                #expect(batch.lines.count <= OutageBook.maximumBatchLines)
                #expect(batch.number > seen[batch.userID] ?? 0)
                seen[batch.userID] = batch.number
                calls += batch.calls
                #expect(book.answered(batch, .booked, at: 10) == .booked)
            }
        }
        #expect(book.waitingCalls > 0, "the first one is still under way")
        #expect(calls + book.waitingCalls == 10 + routes)
    }

    /// As when one part of a cluster is away: those that it keeps hold up no others.
    @Test func thoseThatHaveWaitedLongestAreToldFirst() throws {
        var book = OutageBook()
        for number in 0..<40 { _ = Self.passed(&book, try Self.user("user_\(number)")) }
        var told: [UserID: Int] = [:]
        for round in 0..<8 {
            for batch in book.due(at: Int64(round) * 1000, limit: 10) {
                told[batch.userID, default: 0] += 1
                _ = book.answered(batch, .unreachable(mayBeDone: false), at: Int64(round) * 1000)
            }
        }
        #expect(told.count == 40 && told.values.allSatisfy { $0 == 2 }, "\(told.values)")
    }

    // MARK: Bounds

    @Test func nobodyPushesOutWhatIsWrittenAlready() throws {
        var book = OutageBook()
        for number in 0..<OutageBook.maximumLines {
            #expect(Self.passed(&book, try Self.user("user_\(number)")))
        }
        #expect(!Self.passed(&book, try Self.user("user_late")))
        #expect(!Self.passed(&book, try Self.user("user_1"), route: "other"))
        #expect(Self.passed(&book, try Self.user("user_1")), "another call of a line needs no room")
        #expect(book.waitingCalls == OutageBook.maximumLines + 1)
        let batches = book.due(at: 0, limit: 2)
        #expect(!Self.passed(&book, try Self.user("user_late")), "what is being told is still held")
        for batch in batches { #expect(book.answered(batch, .booked, at: 0) == .booked) }
        #expect(Self.passed(&book, try Self.user("user_late")))
        #expect(Self.passed(&book, try Self.user("user_later")))
        #expect(!Self.passed(&book, try Self.user("user_latest")))
    }

    @Test func callsWithoutEndAreNoTrap() throws {
        var book = OutageBook()
        for _ in 1...3 { #expect(Self.passed(&book, try Self.user(), calls: .max)) }
        #expect(Self.passed(&book, try Self.user("user_def"), calls: .max))
        for batch in book.due(at: 0, limit: 10) {
            #expect(batch.calls == Plan.maximumLimit)
            #expect(book.answered(batch, .booked, at: 0) == .booked)
        }
        #expect(book.isEmpty && book.waitingCalls == 0)
    }

    /// The store remembers for a time only what it has taken.
    @Test func whatMayBeTakenIsGivenUpBeforeTheStoreForgets() throws {
        let end = OutageBook.repeatableMilliseconds
        for mayBeDone in [true, false] {
            var (book, user) = (OutageBook(), try Self.user())
            _ = Self.passed(&book, user)
            let batch = try #require(book.due(at: 5, limit: 1).first)
            #expect(book.answered(batch, .unreachable(mayBeDone: mayBeDone), at: 5) == nil)
            #expect(book.due(at: end, limit: 1) == [batch])
            #expect(book.answered(batch, .unreachable(mayBeDone: false), at: end) == nil)
            #expect(book.due(at: end + 1000, limit: 1) == [batch])
            let ending = book.answered(batch, .unreachable(mayBeDone: false), at: end + 1000)
            #expect(ending == (mayBeDone ? .givenUp : nil))
            #expect(book.isEmpty == mayBeDone)
            #expect(book.waitingCalls == (mayBeDone ? 0 : 1))
        }
    }
}
