import JSONValue
import TollgateConfiguration
import TollgateCore
import TollgateDataPlane
import TollgateStore

/// What is in force, and where it was said.
struct ConfigurationOperations: Sendable {
    let lines: InForce<[ConfigurationLine]>

    var endpoints: [OperatorEndpoint] { [.init(.get, "config", .viewer, show)] }

    @Sendable private func show(_ request: OperatorRequest) async throws -> OperatorAnswer {
        OperatorAnswer([
            "settings": .array(
                lines.current.map { ["name": .string($0.name), "value": .text($0.value), "source": .text($0.place)] })
        ])
    }
}
