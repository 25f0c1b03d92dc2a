import Testing
import TollgateCore

@Suite struct MomentTests {
    @Test(arguments: [0, -1, 951_782_400, 1_709_251_199, 1_764_198_000, 4_107_542_400, 253_402_300_799])
    func momentsAreReadAsTheyAreWritten(seconds: Int) throws {
        let time = UnixTime(seconds: Int64(seconds))
        #expect(UnixTime(iso8601: time.iso8601) == time)
    }

    /// As clients write moments (RFC 3339, section 5.6), and as we write them.
    @Test(arguments: [
        ("2030-12-31T23:59:59Z", "2030-12-31T23:59:59Z"), ("2030-12-31t23:59:59z", "2030-12-31T23:59:59Z"),
        ("2030-12-31T23:59:59.000Z", "2030-12-31T23:59:59Z"), ("2030-12-31T23:59:59.9+00:00", "2030-12-31T23:59:59Z"),
        ("2031-01-01T01:59:59+02:00", "2030-12-31T23:59:59Z"), ("2030-12-31T18:29:59-05:30", "2030-12-31T23:59:59Z"),
        ("2030-12-31T23:59:59-00:00", "2030-12-31T23:59:59Z"), ("2028-02-29T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"), ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
    ])
    func momentsOfClientsAreRead(text: String, written: String) {
        #expect(UnixTime(rfc3339: text)?.iso8601 == written)
    }

    @Test(arguments: [
        "0000-01-00T00:00:00Z", "0000-00-00T00:00:00Z", "2029-02-29T00:00:00Z", "2030-04-31T00:00:00Z",
        "2030-12-31T24:00:00Z", "2030-12-31T23:60:00Z", "2030-12-31T23:59:60Z", "10000-01-01T00:00:00Z",
        "-0001-12-31T00:00:00Z", "2030-12-31T23:59:59", "2030-12-31T23:59:59.Z", "2030-12-31T23:59:59.1",
        "2030-12-31T23:59:59+2:00", "2030-12-31T23:59:59+0200", "2030-12-31T23:59:59+24:00",
        "2030-12-31T23:59:59+00:60",
        "2030-12-31T23:59:59Z+00:00", "2030-12-31 23:59:59Z", "2030-12-31", "2030-12-31T23:59:5\u{0663}Z",
        "0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
    ])
    func whatTheCalendarDoesNotHaveIsNoMoment(text: String) {
        #expect(UnixTime(rfc3339: text) == nil)
        #expect(UnixTime(iso8601: text) == nil)
    }

    /// Whatever is added to a moment, a moment comes of it.
    @Test(arguments: [Int64.min, -9_000_000_000_000_000, -62_167_219_201, 253_402_300_800, 1 << 53, .max])
    func arithmeticStopsAtTheEndsOfTheCalendar(number: Int64) {
        let ends = ["0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]
        let end = number < 0 ? ends[0] : ends[1]
        #expect(UnixTime(seconds: number).iso8601 == end)
        #expect(UnixTime(checkedSeconds: number) == nil)
        #expect(UnixTime(checkedSeconds: Double(number)) == nil)
        #expect(UnixTime(seconds: number).adding(seconds: number).iso8601 == end)
        #expect(ends.contains(UnixTime(milliseconds: number).iso8601) || number.magnitude < 1 << 50)
        for time in [UnixTime(seconds: number), UnixTime(milliseconds: number)] {
            let period = BillingPeriod(containing: time)
            #expect(period.start <= time && time.seconds <= period.end.seconds)
            #expect(RateWindow(containing: time).end.seconds >= time.seconds)
            #expect(CalendarDay(containing: time).startOfDay <= time)
        }
    }

    @Test(arguments: [Double.nan, .infinity, -.infinity, 1e300, -1e300, 253_402_300_800])
    func whatIsNoNumberIsNoMoment(seconds: Double) {
        #expect(UnixTime(checkedSeconds: seconds) == nil)
    }

    @Test func daysThatTheCalendarDoesNotHaveAreTheNearest() {
        for (year, month, day) in [(Int.max, Int.max, Int.max), (.min, .min, .min), (2025, 2, 31), (2025, 0, 0)] {
            let nearest = CalendarDay(year: year, month: month, day: day)
            #expect((1...12).contains(nearest.month) && (1...31).contains(nearest.day))
            #expect(CalendarDay(containing: nearest.startOfDay) <= nearest)
            #expect(nearest.description.count <= 11)
        }
        #expect(CalendarDay(year: 2025, month: 2, day: 31).description == "2025-02-28")
    }

    @Test func partsOfSecondsAreNotWritten() {
        #expect(UnixTime(milliseconds: 1_764_198_000_999).iso8601 == "2025-11-26T23:00:00Z")
    }

    @Test(arguments: [
        "", "2025-11-26", "2025-11-26T23:00:00", "2025-11-26 23:00:00Z", "2025-11-26T23:00:00z", "2025-02-30T00:00:00Z",
        "2025-00-10T00:00:00Z", "2025-13-10T00:00:00Z", "2025-11-00T00:00:00Z", "2025-11-26T24:00:00Z",
        "2025-11-26T23:60:00Z", "2025-11-26T23:00:60Z", "2025-11-26T23:0a:00Z", "+025-11-26T23:00:00Z", "1764198000",
        "2025-11-26T23:00:00Z ",
    ])
    func otherTextsAreNoMoments(text: String) {
        #expect(UnixTime(iso8601: text) == nil)
    }
}
