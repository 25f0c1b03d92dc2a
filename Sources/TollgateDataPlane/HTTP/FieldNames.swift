package import HTTPTypes
import TollgateCore

extension HTTPField.Name {
    /// A name that is written down in the program, and so is one.
    package static func constant(_ name: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(name) else { preconditionFailure("'\(name)' is no field name") }
        return name
    }
}

extension ClientNetwork {
    /// In which the data plane tells the control plane of the same worker.
    static let fieldName: StaticString = "X-Tollgate-Client"
}

extension HTTPField.Name {
    package static let xTollgateClient = constant(ClientNetwork.fieldName.description)
}
