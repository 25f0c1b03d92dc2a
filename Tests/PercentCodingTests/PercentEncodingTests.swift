import PercentCoding
import Testing

@Suite struct PercentEncodingTests {
    @Test(arguments: [
        ("user_abc", "user_abc"), ("auth0%7cabc", "auth0|abc"), ("%41%2F", "A/"), ("", ""), ("a+b", "a+b"),
        ("%ff", nil), ("%", nil), ("%4", nil), ("%+4", nil), ("a%zz", nil),
    ])
    func escapesStandForBytes(encoded: String, text: String?) {
        #expect(PercentEncoding.decoded(encoded) == text)
    }

    /// `%2E%2E` is `..` to a server that decodes the path.
    @Test(arguments: ["", ".", ".."])
    func whatLeadsToAnotherPathIsNoSegment(text: String) {
        #expect(PercentEncoding.pathSegment(text) == nil)
    }

    @Test(arguments: [("...", "..."), ("a/../b", "a%2F..%2Fb"), ("%2e%2e", "%252e%252e"), ("?x#y", "%3Fx%23y")])
    func whatWouldEndASegmentIsEscaped(text: String, segment: String) {
        #expect(PercentEncoding.pathSegment(text) == segment)
    }

    @Test func whatIsEncodedComesBack() {
        let text = "a b+c%d&e=\u{e9}/\u{1f600}"
        #expect(PercentEncoding.pathSegment(text).flatMap { PercentEncoding.decoded($0) } == text)
        #expect(PercentEncoding.decoded(PercentEncoding.component(text)) == text)
        #expect(PercentEncoding.decoded(PercentEncoding.formText(text), plusIsSpace: true) == text)
    }
}
