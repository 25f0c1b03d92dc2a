/// A reply that is a short flat array of integers, perhaps with a text behind them, held without an array: what a script
/// of the hot path answers.
package struct IntegerReply: Sendable, Hashable {
    package static let maximumCount = 16

    package let count: Int
    private let numbers: SIMD16<Int64>

    /// What stands behind the integers. Nil when nothing does.
    package let text: String?

    /// Fails when there are more than ``maximumCount``.
    package init?(_ values: some Collection<Int64>, text: String? = nil) {
        guard values.count <= Self.maximumCount else { return nil }
        var numbers = SIMD16<Int64>.zero
        for (index, value) in values.enumerated() { numbers[index] = value }
        self.init(numbers, count: values.count, text: text)
    }

    init(_ numbers: SIMD16<Int64>, count: Int, text: String?) {
        self.numbers = numbers
        self.count = count
        self.text = text
    }

    /// - Precondition: `index` is less than ``count``.
    package subscript(index: Int) -> Int64 {
        precondition(index < count, "the reply has fewer numbers")
        return numbers[index]
    }
}
