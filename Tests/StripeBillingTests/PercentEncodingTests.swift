import OutboundCalls
import Testing

@Suite struct PercentEncodingTests {
    @Test(arguments: [
        ("user_abc", "user_abc"), ("auth0%7cabc", "auth0|abc"), ("%41%2F", "A/"), ("", ""), ("a+b", "a+b"),
        ("%ff", nil), ("%", nil), ("%4", nil), ("%+4", nil), ("a%zz", nil),
    ])
    func escapesStandForBytes(encoded: String, text: String?) {
        #expect(PercentEncoding.decoded(encoded) == text)
    }

    @Test func whatIsEncodedComesBack() {
        let text = "a b+c%d&e=\u{e9}/\u{1f600}"
        #expect(PercentEncoding.decoded(PercentEncoding.pathSegment(text)) == text)
        #expect(PercentEncoding.decoded(PercentEncoding.formText(text), plusIsSpace: true) == text)
    }
}
