import OutboundCalls
import StripeBilling
import Testing

/// Reading a list of Stripe's comes to an end, whatever is answered.
@Suite struct StripeListCursorTests {
    @Test func aListThatEndsIsReadToItsEnd() throws {
        var cursor = StripeListCursor()
        for number in 1...1000 { try cursor.advance(to: "sub_\(number)") }
        #expect(cursor.last == "sub_1000")
        try cursor.advance(to: nil)
        #expect(cursor.last == nil)
    }

    @Test func newNamesForEverAreAnEnd() throws {
        var cursor = StripeListCursor()
        for number in 1...StripeListCursor.maximumPages { try cursor.advance(to: "sub_\(number)") }
        #expect(throws: CallError.self) { try cursor.advance(to: "sub_more") }
    }

    @Test(arguments: [1, 2, 3, 7]) func aCircleIsAnEnd(length: Int) {
        var cursor = StripeListCursor()
        #expect(throws: CallError.self) {
            for number in 0..<100 { try cursor.advance(to: "sub_\(number % length)") }
        }
    }
}
