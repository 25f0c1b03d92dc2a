import Testing
import TollgateDataPlane

@Suite struct RequestIDTests {
    /// The worker's own beginning, and what counts up behind it in hexadecimal digits.
    @Test func namesCountUp() {
        let generator = RequestIDGenerator()
        for number in 1...4200 {
            #expect(generator.next() == "\(generator.workerID)-\(String(number, radix: 16))")
        }
    }
}
