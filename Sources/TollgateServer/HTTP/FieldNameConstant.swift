import HTTPTypes

extension HTTPField.Name {
    /// A name that is written down in the program, and so is one.
    static func constant(_ name: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(name) else { preconditionFailure("'\(name)' is no field name") }
        return name
    }
}
