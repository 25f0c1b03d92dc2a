/// One thing that is configured, as it is shown: never a secret.
package struct ConfigurationLine: Sendable, Hashable, CustomStringConvertible {
    /// Such as `TOLLGATE_PORT`, `plans.paid` or `routes.search`.
    package let name: String

    /// Nil when it is not set. `set` for a secret.
    package let value: String?

    /// Where that was said, such as `tollgate.yaml:3` or `default`.
    package let place: String?

    init(_ name: String, _ value: String? = nil, place: String? = nil) {
        (self.name, self.value, self.place) = (name, value, place)
    }

    /// As `tollgate check-config` prints it.
    package var description: String {
        value.map { "\(name) = \($0)" + (place.map { " (\($0))" } ?? "") } ?? "\(name) is not set"
    }
}
