import TollgateConfiguration
import TollgateCore

/// Reads routes out of a `tollgate.yaml`.
enum RouteFixture {
    /// One route, `r`, with some lines more. The first of them is line 4.
    static func yaml(_ lines: String) -> String {
        let indented = lines.split(separator: "\n", omittingEmptySubsequences: false).map { "    " + $0 }
        return "routes:\n  - name: r\n    path: /r\n" + indented.joined(separator: "\n") + "\n"
    }

    static func routes(_ yaml: String) throws -> [Route] {
        try ConfigurationFixture.load(files: ["tollgate.yaml": yaml]).routes.routes
    }
}
