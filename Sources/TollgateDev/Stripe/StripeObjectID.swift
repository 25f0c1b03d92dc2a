/// Names for new objects as Stripe makes them, such as `cus_Kx3…`. Never the same twice, not even after a restart:
/// the gateway remembers events for weeks.
enum StripeObjectID {
    private static let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")

    static func make(_ prefix: String, length: Int = 24) -> String {
        "\(prefix)_" + String((0..<length).map { _ in alphabet[Int.random(in: alphabet.indices)] })
    }
}
