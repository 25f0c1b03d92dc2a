/// One thing that is wrong with the configuration: where it stands, what it is, and what to do about it.
package struct ConfigurationProblem: Sendable, Hashable, CustomStringConvertible {
    /// Such as `tollgate.yaml:12`, `.env:3`, `environment variable REDIS_URL` or `flag --port`.
    package let place: String

    /// Never holds the value of a secret.
    package let message: String

    package let remedy: String

    package init(place: String, message: String, remedy: String) {
        self.place = place
        self.message = message
        self.remedy = remedy
    }

    /// One line.
    package var description: String { "\(place): \(message). \(remedy)" }
}

/// Everything that is wrong with the configuration, at once, so that a worker need not be started once per mistake.
package struct InvalidConfiguration: Error, Sendable, Hashable, CustomStringConvertible {
    package let problems: [ConfigurationProblem]

    package init(problems: [ConfigurationProblem]) { self.problems = problems }

    /// One line per problem.
    package var description: String { problems.map(\.description).joined(separator: "\n") }
}
