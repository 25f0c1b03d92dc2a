#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Why a program was not started.
package enum ChildProcessError: Error, Sendable, Hashable, CustomStringConvertible {
    /// No such program, or not executable.
    case missing(program: String)
    /// The system refused; `code` is the `errno`.
    case system(operation: String, code: Int32)

    /// What to do about it, too.
    package var description: String {
        switch self {
        case .missing(let program):
            "\(program) is missing" + (Self.remedy(for: program).map { ": \($0)" } ?? "")
        case .system(let operation, let code):
            // SAFETY: `strerror` returns a C string that stays as it is until this thread asks again.
            "\(operation) failed: \(unsafe String(cString: strerror(code)))"
        }
    }

    private static func remedy(for program: String) -> String? {
        #if canImport(Darwin)
        let packages = [
            "redis-server": "brew install redis", "stripe": "brew install stripe/stripe-cli/stripe",
            "promtool": "brew install prometheus",
        ]
        #else
        let packages = [
            "redis-server": "apt-get install redis-server", "setpriv": "apt-get install util-linux",
            "promtool": "apt-get install prometheus",
        ]
        #endif
        return packages[program]
    }
}
