import Testing
import TollgateCore

@Suite struct MomentTests {
    @Test(arguments: [0, -1, 951_782_400, 1_709_251_199, 1_764_198_000, 4_107_542_400, 253_402_300_799])
    func momentsAreReadAsTheyAreWritten(seconds: Int) throws {
        let time = UnixTime(seconds: Int64(seconds))
        #expect(UnixTime(iso8601: time.iso8601) == time)
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
