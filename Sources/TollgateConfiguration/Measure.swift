/// How people write a time or a size: a number and a unit.
struct Measure: Sendable {
    private struct Unit: Sendable {
        let name: String

        /// In the smallest unit.
        let factor: Int
    }

    /// Smallest first.
    private let units: [Unit]

    /// What a number without a unit is multiplied with.
    private let plainFactor: Int

    /// Such as "duration".
    let name: String

    /// What may be written, for a remedy.
    let examples: String

    /// In milliseconds; a plain number is of seconds.
    static let duration = Measure(
        units: [
            Unit(name: "ms", factor: 1), Unit(name: "s", factor: 1_000), Unit(name: "m", factor: 60_000),
            Unit(name: "h", factor: 3_600_000),
        ], plainFactor: 1_000, name: "duration", examples: "500ms, 2s, 1m, or a number of seconds")

    /// In bytes.
    static let size = Measure(
        units: [
            Unit(name: "B", factor: 1), Unit(name: "KB", factor: 1 << 10), Unit(name: "MB", factor: 1 << 20),
            Unit(name: "GB", factor: 1 << 30), Unit(name: "TB", factor: 1 << 40),
        ], plainFactor: 1, name: "size", examples: "64KB, 10MB, or a number of bytes")

    /// In the smallest unit. Nil for anything but a number, which may have up to three decimals, and one of the units.
    func value(of text: String) -> Int? {
        let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let unit = text[number.endIndex...].trimmed
        guard let factor = unit.isEmpty ? plainFactor : units.first(where: { $0.name == unit })?.factor else {
            return nil
        }
        let parts = number.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), parts.allSatisfy({ !$0.isEmpty }), let digits = Int(parts.joined()) else {
            return nil
        }
        let decimals = parts.count == 2 ? parts[1].count : 0
        let (product, isTooLarge) = digits.multipliedReportingOverflow(by: factor)
        guard !isTooLarge, decimals <= 3 else { return nil }
        let divisor = [1, 10, 100, 1_000][decimals]
        return product.isMultiple(of: divisor) ? product / divisor : nil
    }

    /// In the largest unit that needs no decimals.
    func text(of value: Int) -> String {
        let unit = units.last { value != 0 && value.isMultiple(of: $0.factor) } ?? units[0]
        return String(value / unit.factor) + unit.name
    }
}
