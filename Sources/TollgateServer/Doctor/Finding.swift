/// What one check has come to: what was found, and what is to be done where that is not as it should be.
package struct Finding: Sendable, Hashable {
    package enum Verdict: String, Sendable, Hashable, CaseIterable {
        case ok
        /// It works, and may cost calls or data later.
        case warn
        /// Calls are refused, or something does not work.
        case fail
        /// Nothing was looked at.
        case skipped
    }

    /// What the checks are about, in the order in which they are told.
    package enum Section: String, Sendable, Hashable, CaseIterable {
        case configuration
        case redis
        case topology
        case permissions
        case persistence
        case memory
        case replication
        case clock
        case admission
        case keys
        case clerk
        case stripe
        case upstreams
        case alerts
        case certificates
        case process
    }

    package let section: Section

    /// Which check it is. For programs: never changes its meaning.
    package let code: String

    package let verdict: Verdict

    /// Never holds a secret.
    package let found: String

    /// Nil when there is nothing to do.
    package let remedy: String?

    private init(_ section: Section, _ code: String, _ verdict: Verdict, _ found: String, remedy: String? = nil) {
        self.section = section
        self.code = code
        self.verdict = verdict
        self.found = found
        self.remedy = remedy
    }

    package static func ok(_ section: Section, _ code: String, _ found: String) -> Finding {
        Finding(section, code, .ok, found)
    }

    package static func warn(_ section: Section, _ code: String, _ found: String, remedy: String) -> Finding {
        Finding(section, code, .warn, found, remedy: remedy)
    }

    package static func fail(_ section: Section, _ code: String, _ found: String, remedy: String) -> Finding {
        Finding(section, code, .fail, found, remedy: remedy)
    }

    /// - Parameters:
    ///   - reason: Why nothing was looked at.
    ///   - remedy: How it can be looked at. Nil where there is no need to.
    package static func skipped(
        _ section: Section, _ code: String, _ reason: String, remedy: String? = nil
    ) -> Finding {
        Finding(section, code, .skipped, reason, remedy: remedy)
    }

    /// Whether something is to be done.
    var isWrong: Bool { verdict == .warn || verdict == .fail }

    /// The same about one of several servers.
    ///
    /// - Parameter place: Which of them.
    func at(_ place: String) -> Finding { Finding(section, code, verdict, "\(place): \(found)", remedy: remedy) }
}
