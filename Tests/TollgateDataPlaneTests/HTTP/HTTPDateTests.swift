import Testing
import TollgateCore
import TollgateDataPlane

@Suite struct HTTPDateTests {
    /// A date has 29 characters at every moment that there is (RFC 9110, section 5.6.7).
    @Test(arguments: [
        ("1994-11-06T08:49:37Z", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("1970-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("1969-12-31T23:59:59Z", "Wed, 31 Dec 1969 23:59:59 GMT"),
        ("0000-01-01T00:00:00Z", "Sat, 01 Jan 0000 00:00:00 GMT"),
        ("9999-12-31T23:59:59Z", "Fri, 31 Dec 9999 23:59:59 GMT"),
    ])
    func momentsAreWrittenAsHTTPDoes(moment: String, text: String) throws {
        var date = HTTPDate()
        #expect(date.text(at: try #require(UnixTime(iso8601: moment))) == text)
    }
}
